import Bytes
import JSON
import Ledger
import Records

// The administration of users.

extension GatewayCore {
    mutating func admitUserCreation(
        _ route: Route, _ credential: Credential, _ bytes: Span<UInt8>, _ entropy: Entropy,
        _ request: Identifier
    ) throws(Refusal) -> Admission {
        try requireAdministrator(credential)
        beginFaults()
        var change = UserChange(id: UserID(entropy.id))
        let password = person(&change, route, bytes)
        try judgeFaults()
        var row = UserRow(id: change.id, email: change.email ?? "")
        row.firstName = change.firstName ?? ""
        row.lastName = change.lastName ?? ""
        row.phone = change.phone ?? ""
        row.companyName = change.companyName ?? ""
        row.records = change.records ?? []
        row.roles = change.roles ?? []
        row.remembersMe = change.remembersMe ?? false
        let admitted = command(
            .createUser(row), "users/create", row.id.description, Self.details(change),
            credential, request)
        return hashing(password, admitted, entropy)
    }

    mutating func admitUserChange(
        _ route: Route, _ credential: Credential, _ bytes: Span<UInt8>, _ entropy: Entropy,
        _ request: Identifier
    ) throws(Refusal) -> Admission {
        try requireAdministrator(credential)
        beginFaults()
        let id = userID(route)
        var change = UserChange(id: id ?? UserID(0))
        let password = person(&change, route, bytes)
        try judgeFaults()
        let admitted = command(
            .updateUser(change), "users/update", change.id.description, Self.details(change),
            credential, request)
        return hashing(password, admitted, entropy)
    }

    mutating func admitUserDeletion(
        _ route: Route, _ credential: Credential, _ request: Identifier
    ) throws(Refusal) -> Admission {
        try requireAdministrator(credential)
        beginFaults()
        let id = userID(route)
        reading.readViews(set)
        try judgeFaults()
        guard let id else { preconditionFailure("a user without an id and without a fault") }
        return .command(
            command(.deleteUser(id), "users/delete", id.description, [:], credential, request))
    }

    mutating func admitUserRead(
        _ route: Route, _ credential: Credential, requestID: String
    ) throws(Refusal) -> Admission {
        beginFaults()
        let id = text(.id, of: route)
        let email = text(.email, of: route)
        if id == nil, email == nil { fault(.id, .missing, "an id, or an email") }
        reading.readViews(set)
        try judgeFaults()
        let user =
            id.map { id in UserID(Array(id.utf8).span).flatMap { directory?.user($0) } }
            ?? email.flatMap { directory?.user(email: $0) }
        guard let user else {
            throw Refusal.judging([
                ParameterFault(id == nil ? "email" : "id", .unknownID, "no such user")
            ])
        }
        var object: [UInt8] = []
        DirectoryRow.append(user, to: &object)
        return .answer(found(object, views(credential), requestID: requestID))
    }

    /// Hashes the password first, when there is one.
    private func hashing(
        _ password: String?, _ admitted: CommandAdmission, _ entropy: Entropy
    ) -> Admission {
        guard let password else { return .command(admitted) }
        return .hash(
            PasswordWork(
                password: Array(password.utf8), salt: entropy.salt, cost: .current,
                purpose: .change(admitted)))
    }

    private mutating func userID(_ route: Route) -> UserID? {
        guard let text = text(.id, of: route) else { return nil }
        if let id = UserID(Array(text.utf8).span), directory?.user(id) != nil { return id }
        fault(.id, .unknownID, "the 16 digits of a user's id")
        return nil
    }

    /// Reads what both creation and change take; returns the password.
    private mutating func person(
        _ change: inout UserChange, _ route: Route, _ bytes: Span<UInt8>
    ) -> String? {
        change.email = text(.email, of: route)
        if let email = change.email, !Self.isEmail(email) {
            fault(.email, .notAllowed, "an address such as name@example.com")
        }
        let password = text(.password, of: route)
        if let password, password.utf8.count < 8 {
            fault(.password, .notAllowed, "8 bytes at least")
        }
        change.firstName = text(.firstName, of: route)
        change.lastName = text(.lastName, of: route)
        change.phone = text(.phone, of: route)
        change.companyName = text(.companyName, of: route)
        change.records = records(bytes)
        change.roles = roles(bytes)
        change.remembersMe = flag(.rememberMe)
        reading.readViews(set)
        return password
    }

    private mutating func records(_ bytes: Span<UInt8>) -> PersonRecords? {
        guard let slugs = texts(.records, bytes) else { return nil }
        var records: PersonRecords = []
        for slug in slugs {
            guard let known = PersonRecords.all.first(where: { $0.slug == slug }) else {
                fault(.records, .unrecognized, "client, employee, liaison")
                return nil
            }
            records.insert(known.record)
        }
        return records
    }

    /// `application/role` each.
    private mutating func roles(_ bytes: Span<UInt8>) -> [RoleAssignment]? {
        guard let names = texts(.roles, bytes, limit: DirectoryLimits.rolesOfUser) else {
            return nil
        }
        var roles: [RoleAssignment] = []
        for name in names {
            let parts = name.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 2 else {
                fault(.roles, .unrecognized, "application/role, such as planox2/administrator")
                return nil
            }
            let role = RoleAssignment(application: String(parts[0]), role: String(parts[1]))
            guard directory?.role(role) != nil else {
                fault(.roles, .unknownID, "no such role: \(name)")
                return nil
            }
            if !roles.contains(role) { roles.append(role) }
        }
        return roles
    }

    private static func isEmail(_ text: String) -> Bool {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        return parts.count == 2 && !parts[0].isEmpty && parts[1].contains(".")
            && !parts[1].hasPrefix(".") && !parts[1].hasSuffix(".") && !text.contains(" ")
    }

    /// What the event says of a change: which members, and the rights, never personal values.
    private static func details(_ change: UserChange) -> KeyValuePairs<String, String> {
        let rights =
            (change.records?.slugs ?? [])
            + (change.roles ?? []).map { "\($0.application)/\($0.role)" }
        let members = [
            change.email.map { _ in "email" }, change.firstName.map { _ in "first_name" },
            change.lastName.map { _ in "last_name" }, change.phone.map { _ in "phone" },
            change.companyName.map { _ in "company_name" }, change.records.map { _ in "records" },
            change.roles.map { _ in "roles" }, change.remembersMe.map { _ in "remember_me" },
        ].compactMap { $0 }
        return [
            "changed": members.joined(separator: ","), "rights": rights.joined(separator: ","),
        ]
    }
}
