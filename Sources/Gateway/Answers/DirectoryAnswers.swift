import Ledger

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
