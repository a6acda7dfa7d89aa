import Bytes
import JSON
import Ledger
import Records

// Sessions besides their beginning, and the registration of a client.

extension GatewayCore {
    /// The session that is meant: another one's by its id and the permission, or one's own.
    private mutating func session(
        _ route: Route, _ credential: Credential
    ) throws(Refusal) -> SessionRow {
        beginFaults()
        let id = text(.id, of: route)
        reading.readViews(set)
        try judgeFaults()
        guard let id else {
            guard let own = credential.session else {
                throw Refusal(.permissionDenied, "The token is no session; name one by `id`.")
            }
            return directory?.session(own.id) ?? own
        }
        if let (resource, action) = route.permission, id != credential.id.description {
            try requireAdministrator(credential)
            try authorize(credential, (resource, action))
        }
        guard let name = TokenID(Array(id.utf8).span), let found = directory?.session(name) else {
            throw Refusal.judging([ParameterFault("id", .unknownID, "the id of a session")])
        }
        return found
    }

    mutating func admitSessionRead(
        _ route: Route, _ credential: Credential, requestID: String
    ) throws(Refusal) -> Admission {
        let session = try session(route, credential)
        let isOwn = session.id == credential.id
        let object = sessionObject(
            session, text: isOwn ? credential.text : [],
            application: isOwn ? credential.application : "", isFull: true)
        return .answer(found(object, views(credential), requestID: requestID))
    }

    mutating func admitSessionDeletion(
        _ route: Route, _ credential: Credential, _ request: Identifier
    ) throws(Refusal) -> Admission {
        let session = try session(route, credential)
        var admitted = command(
            .deleteSession(session.id), "sessions/delete", session.id.description,
            ["user": session.user.description], credential, request)
        // It is gone by then.
        if session.id == credential.id { admitted.views = Views() }
        return .command(admitted)
    }

    mutating func admitRegistration(
        _ route: Route, _ credential: Credential, _ request: Identifier
    ) throws(Refusal) -> Admission {
        guard let session = credential.session, let user = directory?.user(session.user) else {
            throw Refusal(.permissionDenied, "Only a session registers its user.")
        }
        beginFaults()
        var change = UserChange(id: user.id)
        change.firstName = text(.firstName, of: route)
        change.lastName = text(.lastName, of: route)
        change.phone = text(.phone, of: route)
        change.companyName = text(.companyName, of: route)
        reading.readViews(set)
        try judgeFaults()
        // The leader says whether it is a repetition, which gets the first answer.
        let isRepeated = user.records.contains(.client)
        let faults = Self.clientFaults(change)
        guard isRepeated || faults.isEmpty else {
            throw Refusal(.clientValidationFailed, faults: faults)
        }
        change.records = user.records.union(.client)
        var admitted = command(
            .registerClient(change), "users/client_register", user.id.description,
            ["records": "client"], credential, request)
        admitted.owesMail = !isRepeated
        return .command(admitted)
    }

    /// What does not make a client although it is well-formed: names without a letter, a telephone
    /// number that is none.
    private static func clientFaults(_ change: UserChange) -> [ParameterFault] {
        var faults: [ParameterFault] = []
        for (name, value) in [("first_name", change.firstName), ("last_name", change.lastName)] {
            guard !(value ?? "").contains(where: \.isLetter) else { continue }
            faults.append(ParameterFault(name, .notAllowed, "a name has a letter"))
        }
        if let phone = change.phone {
            let digits = phone.utf8.count { (0x30...0x39).contains($0) }
            let isPhone = phone.utf8.allSatisfy {
                (0x30...0x39).contains($0) || "+-()./ ".utf8.contains($0)
            }
            if !isPhone || !(5...20).contains(digits) {
                faults.append(
                    ParameterFault(
                        "phone", .notAllowed, "5 to 20 digits, and + - ( ) . / and space"))
            }
        }
        return faults
    }

    /// The answer with an object that the directory has.
    func found(_ object: [UInt8], _ views: Views, requestID: String) -> Answer {
        var body: [UInt8] = []
        Envelope.appendSuccess(
            message: "Found.", views: views, requestID: requestID, to: &body
        ) { $0.append(contentsOf: object) }
        return Answer(status: 200, contentType: Envelope.contentType, body: body)
    }
}
