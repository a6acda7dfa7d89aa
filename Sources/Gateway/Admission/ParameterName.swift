/// The parameters that routes know. A name with a dot may come as it stands, or as a member of an
/// object: `{"page":{"size":10}}`.
package enum ParameterName: UInt8, CaseIterable, Sendable {
    case uniqueID, scriptName, hostName, fileName, startTime, stopTime, notes, updatedIn, token
    case applicationView, application, sessionView, expectedRevision, revision, name, kind
    case permissions, id, node, reason, policy, dryRun, from, email, password, redirectURL, view
    case rememberMe, firstName, lastName, phone, companyName, records, roles, slug, service
    case route, address, searchTerm, searchAttributes, filters, count, pageSize, pageNumber,
        pageAfter
    case sortBy, sortOrder, rules

    /// The name on the wire.
    package var text: String { Self.texts[Int(rawValue)] }

    private static let texts = [
        "unique_id", "script_name", "host_name", "file_name", "start_time", "stop_time", "notes",
        "updated_in", "token", "application_view", "application", "session_view",
        "expected_revision", "revision", "name", "kind", "permissions", "id", "node", "reason",
        "policy", "dry_run", "from", "email", "password", "redirect_url", "view", "remember_me",
        "first_name", "last_name", "phone", "company_name", "records", "roles", "slug", "service",
        "route", "address", "search.term", "search.attributes", "filters", "count", "page.size",
        "page.number", "page.after", "sort.by", "sort.order", "rules",
    ]
}
