/// What a request came to, in the words of docs/reference/errors.md.
package enum Status: CaseIterable, Sendable {
    case actionSuccessful
    case invalidToken
    case permissionDenied
    case missingParam
    case invalidParam
    case noParamsDecoded
    case invalidEncodedParams
    case invalidContentType
    case payloadTooLarge
    case applicationCrash
    case routeNonExistent
    case notReady

    package var code: Int {
        switch self {
        case .actionSuccessful: 200
        case .missingParam, .invalidParam, .noParamsDecoded, .invalidEncodedParams,
            .invalidContentType:
            400
        case .invalidToken: 401
        case .permissionDenied: 403
        case .payloadTooLarge: 413
        case .applicationCrash, .routeNonExistent: 500
        case .notReady: 503
        }
    }

    package var slug: StaticString {
        switch self {
        case .actionSuccessful: "action-successful"
        case .invalidToken: "invalid-token"
        case .permissionDenied: "permission-denied"
        case .missingParam: "missing-param"
        case .invalidParam: "invalid-param"
        case .noParamsDecoded: "no-params-decoded"
        case .invalidEncodedParams: "invalid-encoded-params"
        case .invalidContentType: "invalid-content-type"
        case .payloadTooLarge: "payload-too-large"
        case .applicationCrash: "application-crash"
        case .routeNonExistent: "route-non-existent"
        case .notReady: "not-ready"
        }
    }

    /// A sentence for people, where nothing more exact is known.
    package var message: String {
        switch self {
        case .actionSuccessful: "Done."
        case .invalidToken:
            "The token is not one we know, is revoked, or lacks its secret part."
        case .permissionDenied: "The token does not hold the permission that this route needs."
        case .missingParam: "A required parameter is missing."
        case .invalidParam: "A parameter is invalid."
        case .noParamsDecoded: "The body was read and holds no parameters."
        case .invalidEncodedParams: "The body is not well-formed JSON."
        case .invalidContentType: "This route takes application/json."
        case .payloadTooLarge: "The body is larger than this route takes."
        case .applicationCrash:
            "Something failed inside; nothing is half done. The request may be sent again."
        case .routeNonExistent: "There is no such route."
        case .notReady: "No majority of the cluster answers at the moment. Send it again."
        }
    }
}

/// What is wrong with one parameter.
package struct ParameterFault: Equatable, Sendable {
    package enum Kind: String, Sendable {
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

    package init(
        _ status: Status, _ message: String? = nil, faults: [ParameterFault] = [],
        isOutcomeUnknown: Bool = false
    ) {
        self.status = status
        self.message = message ?? status.message
        self.faults = faults
        self.isOutcomeUnknown = isOutcomeUnknown
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
        }
    }

    /// What the faults of a request come to: a missing parameter goes first.
    static func judging(_ faults: [ParameterFault]) -> Refusal {
        let isMissing = faults.contains { $0.kind == .missing }
        return Refusal(isMissing ? .missingParam : .invalidParam, faults: faults)
    }
}
