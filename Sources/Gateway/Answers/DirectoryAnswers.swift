import JSON
import Ledger
import Records

extension Refusal {
    /// The directory does not take a change.
    init(_ objection: DirectoryObjection) {
        switch objection {
        case .credential: self.init(.invalidToken)
        case .expired: self.init(.sessionExpired)
        case .permission: self.init(.permissionDenied)
        case .beyondAuthor:
            self.init(
                .permissionDenied, "It would give, or touch, permissions that its author lacks.")
        case .registered: self.init(.emailAlreadyRegistered)
        case .unknownUser: self = Self.fault("id", .unknownID, "no such user")
        case .unknownSession: self = Self.fault("id", .unknownID, "no such session")
        case .unknownApplication:
            self = Self.fault("application", .unrecognized, "no such application")
        case .unknownRole: self = Self.fault("role", .unknownID, "no such role")
        case .emailTaken: self = Self.fault("email", .conflict, "another user has it")
        case .exists: self = Self.fault("slug", .conflict, "there is one of this name")
        case .inUse:
            self = Self.fault("id", .notAllowed, "tokens, users or this session depend on it")
        case .full: self = Self.fault("id", .notAllowed, "there are as many as there may be")
        case .unknownNotification: self = Self.fault("id", .unknownID, "no such notification")
        case .malformed: self = Self.fault("rules", .unrecognized, "rules that can be read")
        case .needed:
            self = Self.fault("id", .notAllowed, "without it nothing could be deployed again")
        }
    }

    private static func fault(
        _ parameter: String, _ kind: ParameterFault.Kind, _ detail: String
    ) -> Refusal {
        Refusal.judging([ParameterFault(parameter, kind, detail)])
    }
}

extension GatewayCore {
    /// The answer to a command that was carried out. What the cluster says must be about what was
    /// asked, or nothing is believed of it.
    func done(
        _ answer: CommandAnswer, _ command: CommandAdmission, requestID: String
    ) -> Answer {
        do throws(Refusal) {
            if case .login(let login, let token) = command.reveal {
                return try begun(answer, login, token, requestID: requestID)
            }
            var body: [UInt8] = []
            let data = try data(answer, command)
            let status: Status = command.isMailLate ? .mandrillEmailFailed : .actionSuccessful
            Envelope.appendSuccess(
                status, message: status.message, views: command.views, requestID: requestID,
                to: &body
            ) { $0.append(contentsOf: data) }
            return Answer(status: status.code, contentType: Envelope.contentType, body: body)
        } catch {
            return refuse(error, on: .compatible, requestID: requestID)
        }
    }

    private func data(
        _ answer: CommandAnswer, _ command: CommandAdmission
    ) throws(Refusal) -> [UInt8] {
        guard answer.fits(command.command.change) else { throw Refusal(.applicationCrash) }
        var data: [UInt8] = []
        // What somebody else deleted meanwhile is not there any more.
        if case .user(let id) = answer, let user = directory?.user(id) {
            DirectoryRow.append(user, to: &data)
        } else if case .role(let name) = command.reveal, let role = directory?.role(name) {
            DirectoryRow.append(role, to: &data)
        } else if case .application(let slug) = command.reveal,
            let application = directory?.application(slug)
        {
            DirectoryRow.append(application, to: &data)
        } else if case .notification(let id) = command.reveal,
            let notification = directory?.mail.notification(id)
        {
            MailRow.append(notification, to: &data)
        } else if case .rules = command.reveal, let rules = directory?.mail.rules {
            MailRow.append(rules, to: &data)
        } else {
            var secret: String?
            if case .token(let text) = command.reveal { secret = text }
            Self.append(answer, secret: secret, to: &data)
        }
        return data
    }

    /// A session has begun: its token is shown this once.
    private func begun(
        _ answer: CommandAnswer, _ login: Login, _ token: String, requestID: String
    ) throws(Refusal) -> Answer {
        guard case .session(let id) = answer else { throw Refusal(.applicationCrash) }
        guard let session = directory?.session(id), let user = directory?.user(session.user) else {
            throw Refusal(.invalidToken, "The session was ended meanwhile.")
        }
        if user.records.isEmpty { throw clientRequired(session, text: Array(token.utf8)) }
        var body: [UInt8] = []
        Envelope.appendSuccess(
            message: "Logged in.", views: views(login, session, token: token),
            redirect: login.redirect, requestID: requestID, to: &body
        ) { output in
            output.append(
                contentsOf: sessionObject(
                    session, text: Array(token.utf8), application: "",
                    isFull: login.view == .full))
        }
        return Answer(status: 200, contentType: Envelope.contentType, body: body)
    }
}

extension CommandAnswer {
    /// Whether it can be the answer to such a change.
    func fits(_ change: DirectoryCommand.Change) -> Bool {
        switch (self, change) {
        case (.created, .createToken), (.revoked, .revokeToken), (.compacting, .compact),
            (.held, .addHold), (.released, .removeHold), (.erased, .erase),
            (.user, .directory(.createUser)), (.user, .directory(.updateUser)),
            (.user, .directory(.registerClient)), (.session, .directory(.createSession)):
            true
        case (.changed, .directory(let change)):
            switch change {
            case .createUser, .updateUser, .registerClient, .createSession, .useSessions: false
            default: true
            }
        default: false
        }
    }
}
