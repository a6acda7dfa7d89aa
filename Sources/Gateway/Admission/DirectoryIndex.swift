import Bytes
import JSON
import Ledger
import Records

// The indexes of what the directory holds: searched, filtered, sorted and cut into pages here, for all
// of it is in memory.

/// A row of such an index.
struct IndexedRow {
    /// What may be searched, filtered by and sorted by; the first names the row.
    let attributes: [(name: String, value: String)]
    let object: [UInt8]

    func value(_ name: String) -> String? { attributes.first { $0.name == name }?.value }
}

extension GatewayCore {
    mutating func admitDirectoryIndex(
        _ route: Route, _ credential: Credential, _ bytes: Span<UInt8>, requestID: String
    ) throws(Refusal) -> Admission {
        if route.action == .indexNotifications { try requireAdministrator(credential) }
        let names = Self.attributes(route.action)
        beginFaults()
        let request = indexRequest(route, bytes, sorts: names, attributes: names)
        let filters = request.filters.map { $0.split(separator: ":", maxSplits: 1) }
        if filters.contains(where: { $0.count != 2 || !names.contains(String($0[0])) }) {
            fault(
                .filters, .unrecognized,
                "ATTRIBUTE:VALUE with one of \(names.joined(separator: ", "))")
        }
        let cursor = request.after.map { String(decoding: $0, as: UTF8.self) }
        if let cursor, !cursor.hasPrefix("d/") {
            fault(.pageAfter, .unrecognized, Self.cursorDetail)
        }
        try judgeFaults(inOrderOf: route)
        var found = rows(route.action).filter { row in
            Self.matches(row, request)
                && filters.allSatisfy { filter in
                    row.value(String(filter[0]))?.split(separator: ",").contains(filter[1]) ?? false
                }
        }
        if let name = request.sortBy {
            let isUp = request.order != .desc
            found.sort { left, right in
                let (low, high) = (left.value(name) ?? "", right.value(name) ?? "")
                return isUp ? low < high : high < low
            }
        } else if request.order == .desc {
            found.reverse()
        }
        let first = Self.place(cursor, in: found) ?? request.skipped
        let page = found[min(first, found.count)..<min(first + request.size, found.count)]
        let object = Self.page(
            page, of: found.count, request, names: names,
            next: page.endIndex < found.count ? page.last?.attributes[0].value : nil)
        return .answer(self.found(object, views(credential), requestID: requestID))
    }

    /// Where the page behind a cursor begins.
    private static func place(_ cursor: String?, in rows: [IndexedRow]) -> Int? {
        guard let name = cursor?.dropFirst(2) else { return nil }
        let place = rows.firstIndex { $0.attributes[0].value == name }
        return place.map { $0 + 1 } ?? rows.count
    }

    private static func page(
        _ rows: ArraySlice<IndexedRow>, of count: Int, _ request: IndexRequest, names: [String],
        next: String?
    ) -> [UInt8] {
        var output: [UInt8] = []
        var object = JSONObjectWriter(to: &output)
        object.name("results", to: &output)
        var array = JSONArrayWriter(to: &output)
        for row in rows {
            array.element(to: &output)
            if request.view == .full {
                output.append(contentsOf: row.object)
            } else {
                var summary = JSONObjectWriter(to: &output)
                summary.name(row.attributes[0].name, to: &output)
                JSONWriter.append(row.attributes[0].value, to: &output)
                summary.close(to: &output)
            }
        }
        array.close(to: &output)
        if request.wantsCount { object.member("count", UInt64(count), to: &output) }
        if let next {
            object.member(
                "next", Base64.encode(Array("d/\(next)".utf8), alphabet: .urlSafe), to: &output)
        }
        object.close(to: &output)
        return output
    }

    private static func matches(_ row: IndexedRow, _ request: IndexRequest) -> Bool {
        guard !request.term.isEmpty else { return true }
        let term = request.term.lowercased()
        return row.attributes.contains { name, value in
            (request.attributes?.contains(name) ?? true) && value.lowercased().contains(term)
        }
    }

    // MARK: Rows

    private static func attributes(_ action: RouteAction) -> [String] {
        switch action {
        case .indexTokens: ["id", "application", "name", "kind", "created_at", "state"]
        case .indexSessions: ["id", "user_id", "application", "created_at", "used_at"]
        case .indexUsers:
            [
                "id", "email", "first_name", "last_name", "company_name", "records", "roles",
                "created_at", "updated_at",
            ]
        case .indexApplications: ["slug", "name"]
        case .indexRoles: ["role", "application", "slug", "name"]
        case .indexServices: ["service", "deployed"]
        case .indexRoutes: ["route", "deployed"]
        case .indexNotifications: MailRow.attributes
        default: preconditionFailure("\(action) is no index of the directory")
        }
    }

    private func rows(_ action: RouteAction) -> [IndexedRow] {
        let directory = directory ?? Directory()
        switch action {
        case .indexTokens: return directory.tokens.map(Self.row)
        case .indexSessions: return directory.sessions.map(row)
        case .indexUsers: return directory.users.map(Self.row)
        case .indexApplications:
            return directory.applications.map { application in
                Self.row([("slug", application.slug), ("name", application.name)]) {
                    DirectoryRow.append(application, to: &$0)
                }
            }
        case .indexRoles:
            return directory.roles.map { role in
                Self.row([
                    ("role", "\(role.application)/\(role.slug)"),
                    ("application", role.application), ("slug", role.slug), ("name", role.name),
                ]) { DirectoryRow.append(role, to: &$0) }
            }
        case .indexServices:
            return RouteTable.services.map {
                Self.row("service", $0, isDeployed: !directory.withdrawnServices.contains($0))
            }
        case .indexNotifications: return directory.mail.notifications.map(MailRow.row)
        default:
            return RouteTable.names.map {
                Self.row("route", $0, isDeployed: !directory.withdrawnRoutes.contains($0))
            }
        }
    }

    private static func row(
        _ attributes: [(name: String, value: String)], _ write: (inout [UInt8]) -> Void
    ) -> IndexedRow {
        var object: [UInt8] = []
        write(&object)
        return IndexedRow(attributes: attributes, object: object)
    }

    private static func row(_ name: String, _ value: String, isDeployed: Bool) -> IndexedRow {
        row([(name, value), ("deployed", "\(isDeployed)")]) {
            DirectoryRow.append(name, value, isDeployed: isDeployed, to: &$0)
        }
    }

    private static func row(_ token: TokenRow) -> IndexedRow {
        row([
            ("id", token.id.description), ("application", token.application), ("name", token.name),
            ("kind", token.kind.slug), ("created_at", RFC3339.text(token.createdAt)),
            ("state", token.revokedAt == nil ? "active" : "revoked"),
        ]) { appendToken(token, to: &$0) }
    }

    private static func row(_ user: UserRow) -> IndexedRow {
        row([
            ("id", user.id.description), ("email", user.email), ("first_name", user.firstName),
            ("last_name", user.lastName), ("company_name", user.companyName),
            ("records", user.records.slugs.joined(separator: ",")),
            (
                "roles",
                user.roles.map { "\($0.application)/\($0.role)" }.joined(separator: ",")
            ),
            ("created_at", RFC3339.text(user.createdAt)),
            ("updated_at", RFC3339.text(user.updatedAt)),
        ]) { DirectoryRow.append(user, to: &$0) }
    }

    private func row(_ session: SessionRow) -> IndexedRow {
        IndexedRow(
            attributes: [
                ("id", session.id.description), ("user_id", session.user.description),
                ("application", session.application),
                ("created_at", RFC3339.text(session.createdAt)),
                ("used_at", RFC3339.text(session.usedAt)),
            ],
            object: sessionObject(
                session, text: [], application: session.application, isFull: false))
    }
}
