/// What a request came to, in the words of docs/reference/errors.md. The order is the contract's.
package enum Status: CaseIterable, Sendable {
    case actionSuccessful
    case invalidToken
    case sessionExpired
    case clientRequired
    case permissionDenied
    case missingParam
    case invalidParam
    case noParamsDecoded
    case invalidEncodedParams
    case invalidContentType
    case payloadTooLarge
    case rateLimitExceeded
    case applicationCrash
    case mandrillEmailFailed
    case routeNonExistent
    case routeNotFound
    case serviceNotFound
    case identifyRequestError
    case notReady
    case emailNotFound
    case invalidPassword
    case userHasNoPassword
    case userRequiresRole
    case emailAlreadyRegistered
    case clientValidationFailed

    package var code: Int {
        switch self {
        case .actionSuccessful: 200
        case .missingParam, .invalidParam, .noParamsDecoded, .invalidEncodedParams,
            .invalidContentType, .emailNotFound, .invalidPassword, .userHasNoPassword,
            .userRequiresRole, .emailAlreadyRegistered, .clientValidationFailed:
            400
        case .invalidToken, .sessionExpired, .clientRequired: 401
        case .permissionDenied: 403
        case .routeNotFound, .serviceNotFound: 404
        case .payloadTooLarge: 413
        case .rateLimitExceeded: 429
        case .applicationCrash, .mandrillEmailFailed, .routeNonExistent, .identifyRequestError: 500
        case .notReady: 503
        }
    }

    package var slug: StaticString {
        switch self {
        case .actionSuccessful: "action-successful"
        case .invalidToken: "invalid-token"
        case .sessionExpired: "session-expired"
        case .clientRequired: "client-required"
        case .permissionDenied: "permission-denied"
        case .missingParam: "missing-param"
        case .invalidParam: "invalid-param"
        case .noParamsDecoded: "no-params-decoded"
        case .invalidEncodedParams: "invalid-encoded-params"
        case .invalidContentType: "invalid-content-type"
        case .payloadTooLarge: "payload-too-large"
        case .rateLimitExceeded: "rate-limit-exceeded"
        case .applicationCrash: "application-crash"
        case .mandrillEmailFailed: "mandrill-email-failed"
        case .routeNonExistent: "route-non-existent"
        case .routeNotFound: "route-not-found"
        case .serviceNotFound: "service-not-found"
        case .identifyRequestError: "identify-request-error"
        case .notReady: "not-ready"
        case .emailNotFound: "email-not-found"
        case .invalidPassword: "invalid-password"
        case .userHasNoPassword: "user-has-no-password"
        case .userRequiresRole: "user-requires-role"
        case .emailAlreadyRegistered: "email-already-registered"
        case .clientValidationFailed: "client-validation-failed"
        }
    }

    /// A sentence for people, where nothing more exact is known.
    package var message: String {
        switch self {
        case .actionSuccessful: "Done."
        case .invalidToken: "The token is not one we know, is revoked, or lacks its secret part."
        case .sessionExpired:
            "The session is older than 7 days or was not used for 72 hours. Log in again."
        case .clientRequired:
            "The user has no client, employee or liaison record yet. Register as a client first."
        case .permissionDenied: "The token does not hold the permission that this route needs."
        case .missingParam: "A required parameter is missing."
        case .invalidParam: "A parameter is invalid."
        case .noParamsDecoded: "The body was read and holds no parameters."
        case .invalidEncodedParams: "The body is not well-formed JSON."
        case .invalidContentType: "This route takes application/json."
        case .payloadTooLarge: "The body is larger than this route takes."
        case .rateLimitExceeded:
            "Too many requests of this kind at the moment. Send it again later."
        case .applicationCrash:
            "Something failed inside; nothing is half done. The request may be sent again."
        case .mandrillEmailFailed:
            "It is done, and the mail that it owed could not be handed over yet; that is tried again."
        case .routeNonExistent: "There is no such route."
        case .routeNotFound: "The route is withdrawn at the moment."
        case .serviceNotFound: "The service of this route is withdrawn at the moment."
        case .identifyRequestError:
            "Something failed inside before the route was known. The request may be sent again."
        case .notReady: "No majority of the cluster answers at the moment. Send it again."
        case .emailNotFound: "No user has this e-mail address."
        case .invalidPassword: "The password is another one."
        case .userHasNoPassword: "The user has no password: an administrator sets one."
        case .userRequiresRole: "The user has no role in this application."
        case .emailAlreadyRegistered: "The user is registered as a client already."
        case .clientValidationFailed: "What was given does not make a client."
        }
    }
}

/// What is wrong with one parameter.
package struct ParameterFault: Equatable, Sendable {
    package enum Kind: String, CaseIterable, Sendable {
        case missing
        case empty
        case wrongType = "wrong type"
        case tooLong = "too long"
        case unrecognized
        case notAllowed = "not allowed"
        case notATime = "not a time"
        case beforeStart = "before start_time"
        case unknownID = "unknown id"
        case conflict
    }

    package let parameter: String
    package let kind: Kind
    package let detail: String

    package init(_ parameter: String, _ kind: Kind, _ detail: String) {
        self.parameter = parameter
        self.kind = kind
        self.detail = detail
    }
}

/// Why a request is not carried out.
package struct Refusal: Error, Equatable, Sendable {
    package let status: Status
    package let message: String
    package let faults: [ParameterFault]
    /// For `not-ready`: whether something may have been appended.
    package let isOutcomeUnknown: Bool
    /// Where the user goes next.
    package var redirect: String?
    /// The session that goes with it, as an object.
    package var session: [UInt8]?
    /// For `rate-limit-exceeded`: when it may be sent again.
    var retryAfterSeconds: UInt64?

    package init(
        _ status: Status, _ message: String? = nil, faults: [ParameterFault] = [],
        isOutcomeUnknown: Bool = false
    ) {
        self.status = status
        self.message = message ?? status.message
        self.faults = faults
        self.isOutcomeUnknown = isOutcomeUnknown
    }

    /// A refusal for so many nanoseconds.
    init(_ status: Status, _ message: String, waiting nanoseconds: UInt64) {
        self.init(status, message)
        retryAfterSeconds = max(1, (nanoseconds + 999_999_999) / 1_000_000_000)
    }

    /// An event was not appended, or nobody knows.
    package init(_ why: NotAppended) {
        switch why {
        case .none: self.init(.notReady)
        case .unknown: self.init(.notReady, isOutcomeUnknown: true)
        case .full:
            self.init(
                .notReady,
                "The disks of the cluster are nearly full, so no events are taken. Reads go on; "
                    + "send it again when there is room.")
        case .overloaded:
            self.init(
                .notReady, "More events are under way than the cluster takes. Send it again.")
        }
    }

    /// What the faults of a request come to: a missing parameter goes first.
    static func judging(_ faults: [ParameterFault]) -> Refusal {
        let isMissing = faults.contains { $0.kind == .missing }
        return Refusal(isMissing ? .missingParam : .invalidParam, faults: faults)
    }
}
