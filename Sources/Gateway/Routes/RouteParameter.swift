/// What the route table says of one parameter: what it is judged by, and what is told of it.
package struct RouteParameter: Sendable {
    package enum Kind: Equatable, Sendable {
        /// A string of so many bytes at most; a name has no control characters.
        case text(Int, isName: Bool = false)
        case flag
        case integer
        case texts
        /// Any JSON values in an array.
        case values
        case view
        case time
    }

    package let name: ParameterName
    package let kind: Kind
    package let isRequired: Bool

    static func required(_ name: ParameterName, _ kind: Kind) -> RouteParameter {
        RouteParameter(name: name, kind: kind, isRequired: true)
    }

    static func optional(_ name: ParameterName, _ kind: Kind) -> RouteParameter {
        RouteParameter(name: name, kind: kind, isRequired: false)
    }
}

extension RouteParameter.Kind {
    /// A name of something: 255 bytes without control characters.
    static let name = Self.text(255, isName: true)
    static let email = Self.text(254, isName: true)
    static let password = Self.text(1_024)
    /// 16 hexadecimal digits.
    static let id = Self.text(255)
    static let slug = Self.text(64, isName: true)
}

/// The parameters of routes, each in the order of the contract.
enum RouteParameters {
    /// Those of every route with a token, behind its own.
    static let common: [RouteParameter] = [
        .required(.token, .text(255)), .optional(.applicationView, .view),
        .optional(.application, .slug), .optional(.sessionView, .view),
    ]

    static let event: [RouteParameter] = [
        .required(.uniqueID, .name), .required(.scriptName, .text(1_024)),
        .required(.hostName, .text(255)), .required(.fileName, .text(1_024)),
        .required(.startTime, .time), .optional(.stopTime, .time), .optional(.notes, .values),
        .optional(.updatedIn, .text(255)), .optional(.expectedRevision, .integer),
    ]

    static let index: [RouteParameter] = [
        .optional(.view, .view), .optional(.searchTerm, .name),
        .optional(.searchAttributes, .texts), .optional(.filters, .texts),
        .optional(.count, .flag), .optional(.pageSize, .integer), .optional(.pageNumber, .integer),
        .optional(.pageAfter, .text(1_024)), .optional(.sortBy, .slug),
        .optional(.sortOrder, .slug),
    ]

    static let login: [RouteParameter] = [
        .required(.email, .email), .required(.password, .password), .required(.application, .slug),
        .optional(.redirectURL, .text(2_048, isName: true)), .optional(.view, .view),
        .optional(.applicationView, .view), .optional(.sessionView, .view),
        .optional(.rememberMe, .flag),
    ]

    static let registration: [RouteParameter] = [
        .required(.firstName, .name), .required(.lastName, .name), .optional(.phone, .slug),
        .optional(.companyName, .name),
    ]

    static let user: [RouteParameter] =
        [.required(.email, .email)] + person

    static let userChange: [RouteParameter] =
        [.required(.id, .id), .optional(.email, .email)] + person

    private static let person: [RouteParameter] = [
        .optional(.password, .password), .optional(.firstName, .name), .optional(.lastName, .name),
        .optional(.phone, .slug), .optional(.companyName, .name), .optional(.records, .texts),
        .optional(.roles, .texts), .optional(.rememberMe, .flag),
    ]

    static let subject: [RouteParameter] = [.required(.uniqueID, .text(1_048_576))]
    static let reading: [RouteParameter] = subject + [.optional(.revision, .integer)]
    static let erasure: [RouteParameter] = [
        .required(.uniqueID, .text(255)), .required(.reason, .text(1_000)),
    ]
    /// Of native routes, whose bodies take no others.
    static let node: [RouteParameter] = [.required(.node, .integer)]
    static let member: [RouteParameter] = node + [.required(.address, .text(255))]
    static let compaction: [RouteParameter] = [
        .optional(.policy, .slug), .optional(.dryRun, .flag), .optional(.from, .integer),
    ]
    static let token: [RouteParameter] = [
        .optional(.name, .name), .optional(.kind, .slug), .optional(.permissions, .texts),
    ]
    static let userName: [RouteParameter] = [.optional(.id, .id), .optional(.email, .email)]
    static let service: [RouteParameter] = [.required(.service, .slug)]
    static let route: [RouteParameter] = [.required(.route, .name)]
    static let rules: [RouteParameter] = [.required(.rules, .text(16_384))]
    static let id: [RouteParameter] = [.required(.id, .id)]
    static let optionalID: [RouteParameter] = [.optional(.id, .id)]
    static let slug: [RouteParameter] = [.required(.slug, .slug)]
    static let namedSlug: [RouteParameter] = [.required(.slug, .slug), .optional(.name, .name)]
    static let role: [RouteParameter] = namedSlug + [.optional(.permissions, .texts)]
}
