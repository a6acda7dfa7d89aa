import Bytes
package import HTTPWire

/// What a route does.
package enum RouteAction: Sendable {
    case createEvent, readEvent, eventHistory
    case createToken, indexTokens, revokeToken
    case appendEvents, replayEvents, nativeEvent
    case cluster, transfer, seal, clusterFiles, live, ready, metrics
    case indexMembers, addMember, promoteMember, removeMember
    case eraseEvent, compact, indexHolds, addHold, removeHold, eraseNative
}

/// What the body of a route's requests is.
package enum BodyForm: Sendable {
    case none
    /// `application/json`: an object of parameters.
    case parameters
    /// `application/x-ndjson`, or `application/json` with an array.
    case events
}

/// One route of the gateway. The table serves, and nothing else says which routes there are.
package struct Route: Sendable {
    package enum Surface: Sendable { case compatible, native }

    package let action: RouteAction
    package let surface: Surface
    package let methods: [HTTPMethod]
    /// Matched byte for byte; a path that ends in `/` takes one more segment.
    package let path: StaticString
    package let form: BodyForm
    /// The permission that it needs; nil where any valid token will do.
    package let permission: (resource: String, action: String)?
    package let needsToken: Bool
    /// The label of its requests in metrics.
    package let label: String

    package var bodyLimit: Int {
        form == .events ? GatewayLimits.bulkBodyBytes : GatewayLimits.bodyBytes
    }
}

/// All routes, and how a request finds its own.
package enum RouteTable {
    package static let routes: [Route] = [
        compatible(.createEvent, "audit_events_fmp", "create", "/api/v1/audit_events_fmp/create"),
        compatible(.readEvent, "audit_events_fmp", "read", "/api/v1/audit_events_fmp/read"),
        compatible(
            .eventHistory, "audit_events_fmp", "history", "/api/v1/audit_events_fmp/history"),
        compatible(.eraseEvent, "audit_events_fmp", "erase", "/api/v1/audit_events_fmp/erase"),
        compatible(.createToken, "tokens", "create", "/api/v1/tokens/create"),
        compatible(.indexTokens, "tokens", "index", "/api/v1/tokens/index"),
        compatible(.revokeToken, "tokens", "revoke", "/api/v1/tokens/revoke"),
        native(
            .appendEvents, [.post], "/v1/events", form: .events,
            permission: ("audit_events_fmp", "create")),
        native(
            .replayEvents, [.get, .head], "/v1/events", permission: ("events", "replay")),
        native(
            .nativeEvent, [.get, .head], "/v1/events/", permission: ("audit_events_fmp", "read")),
        native(.cluster, [.get, .head], "/v1/cluster"),
        native(
            .transfer, [.post], "/v1/cluster/transfer", form: .parameters,
            permission: ("cluster", "transfer")),
        native(.seal, [.post], "/v1/cluster/seal", permission: ("cluster", "backup")),
        native(
            .indexMembers, [.get, .head], "/v1/cluster/members", permission: ("members", "index")),
        native(
            .addMember, [.post], "/v1/cluster/members", form: .parameters,
            permission: ("members", "create")),
        native(
            .promoteMember, [.post], "/v1/cluster/members/promote", form: .parameters,
            permission: ("members", "promote")),
        native(
            .removeMember, [.post], "/v1/cluster/members/remove", form: .parameters,
            permission: ("members", "delete")),
        native(.clusterFiles, [.get], "/v1/cluster/files", permission: ("cluster", "backup")),
        native(
            .compact, [.post], "/v1/compactions", form: .parameters,
            permission: ("compactions", "create")),
        native(.indexHolds, [.get, .head], "/v1/holds", permission: ("holds", "index")),
        native(
            .addHold, [.post], "/v1/holds", form: .parameters, permission: ("holds", "create")),
        native(.removeHold, [.delete], "/v1/holds/", permission: ("holds", "delete")),
        native(
            .eraseNative, [.post], "/v1/erasures", form: .parameters,
            permission: ("audit_events_fmp", "erase")),
        native(.live, [.get, .head], "/health/live", needsToken: false),
        native(.ready, [.get, .head], "/health/ready", needsToken: false),
        native(.metrics, [.get, .head], "/metrics", needsToken: false),
    ]

    /// The routes' paths alone, for a search that touches nothing else.
    private static let paths = routes.map(\.path)

    /// Bytes of a body that a request may have.
    package static func bodyLimit(
        _ method: HTTPMethod, path: Range<Int>, in bytes: Span<UInt8>
    ) -> Int {
        guard method == .post else { return GatewayLimits.bodyBytes }
        for place in paths.indices
        where routes[place].form == .events && matches(paths[place], path, bytes) {
            return GatewayLimits.bulkBodyBytes
        }
        return GatewayLimits.bodyBytes
    }

    package enum Match: Sendable {
        case route(Route)
        /// No such path; `isCompatible` says in which surface it would be.
        case noPath(isCompatible: Bool)
        /// The path takes other methods.
        case noMethod(isCompatible: Bool, allowed: String)
    }

    /// The route of a request. Paths are compared undecoded.
    package static func match(
        _ method: HTTPMethod, path: Range<Int>, in bytes: Span<UInt8>
    ) -> Match {
        let isCompatible = hasPrefix("/api/", path, bytes)
        var allowed: [String] = []
        for place in paths.indices where matches(paths[place], path, bytes) {
            let route = routes[place]
            if route.methods.contains(method) { return .route(route) }
            allowed.append(contentsOf: route.methods.map(name))
        }
        guard !allowed.isEmpty else { return .noPath(isCompatible: isCompatible) }
        if !isCompatible { allowed.append("OPTIONS") }
        return .noMethod(
            isCompatible: isCompatible, allowed: allowed.joined(separator: ", "))
    }

    private static func compatible(
        _ action: RouteAction, _ resource: String, _ verb: String, _ path: StaticString
    ) -> Route {
        Route(
            action: action, surface: .compatible, methods: [.post], path: path, form: .parameters,
            permission: (resource, verb), needsToken: true, label: "\(resource)/\(verb)")
    }

    private static func native(
        _ action: RouteAction, _ methods: [HTTPMethod], _ path: StaticString,
        form: BodyForm = .none, permission: (String, String)? = nil, needsToken: Bool = true
    ) -> Route {
        Route(
            action: action, surface: .native, methods: methods, path: path, form: form,
            permission: permission.map { (resource: $0.0, action: $0.1) }, needsToken: needsToken,
            label: "\(name(methods[0])) \(path)")
    }

    private static func matches(
        _ route: StaticString, _ path: Range<Int>, _ bytes: Span<UInt8>
    ) -> Bool {
        let count = route.utf8CodeUnitCount
        guard hasPrefix(route, path, bytes) else { return false }
        let takesSegment = count > 1 && bytes[path.lowerBound + count - 1] == UInt8(ascii: "/")
        guard takesSegment else { return path.count == count }
        let segment = (path.lowerBound + count)..<path.upperBound
        return !segment.isEmpty && !segment.contains { bytes[$0] == UInt8(ascii: "/") }
    }

    private static func hasPrefix(
        _ prefix: StaticString, _ path: Range<Int>, _ bytes: Span<UInt8>
    ) -> Bool {
        let count = prefix.utf8CodeUnitCount
        guard path.count >= count else { return false }
        return prefix.withUTF8Buffer { buffer in
            for offset in 0..<count
            where unsafe buffer[offset] != bytes[path.lowerBound + offset] { return false }
            return true
        }
    }

    package static func name(_ method: HTTPMethod) -> String {
        switch method {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .other: "?"
        }
    }
}
