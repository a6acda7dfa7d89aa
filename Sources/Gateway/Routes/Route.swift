import Bytes
package import HTTPWire

/// What a route does.
package enum RouteAction: Sendable {
    case createEvent, readEvent, eventHistory
    case createToken, indexTokens, revokeToken
    case appendEvents, replayEvents, nativeEvent
    case cluster, transfer, seal, clusterFiles, live, ready, metrics, openAPI
    case indexMembers, addMember, promoteMember, removeMember
    case eraseEvent, compact, indexHolds, addHold, removeHold, eraseNative
    case indexEvents
    case createSession, readSession, deleteSession, indexSessions, registerClient
    case createUser, readUser, indexUsers, updateUser, deleteUser
    case createApplication, readApplication, indexApplications, updateApplication
    case deleteApplication
    case createRole, indexRoles, updateRole, deleteRole
    case indexServices, deployService, withdrawService
    case indexRoutes, deployRoute, withdrawRoute
    case indexNotifications, readNotification
    case readRules, updateRules
}

/// What the body of a route's requests is.
package enum BodyForm: Sendable {
    case none
    /// `application/json`: an object of parameters.
    case parameters
    /// `text/plain`: the same in base64, so that it does not lie about in the clear.
    case sensitive
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
    /// The permission that it needs, and by which it can be withdrawn; nil where any valid token will
    /// do.
    package let permission: (resource: String, action: String)?
    package let access: Access
    /// In the order of the contract; those of every route with a token are among them.
    package let parameters: [RouteParameter]
    /// Those of a native route that stand in path or query.
    package let query: [NativeParameter]
    /// The label of its requests in metrics.
    package let label: String

    package enum Access: Sendable {
        /// No token is asked for.
        case open
        /// A token, or a session of a user with a record.
        case credential
        /// The same, and sessions of users who have no record yet.
        case anySession
    }

    package var needsToken: Bool { access != .open }

    /// What stands in the table of a parameter.
    func parameter(_ name: ParameterName) -> RouteParameter {
        guard let found = parameters.first(where: { $0.name == name }) else {
            preconditionFailure("\(label) does not know \(name.text)")
        }
        return found
    }

    package var bodyLimit: Int {
        form == .events ? GatewayLimits.bulkBodyBytes : GatewayLimits.bodyBytes
    }
}

/// All routes, and how a request finds its own.
package enum RouteTable {
    package static let routes: [Route] = [
        compatible(
            .createEvent, "audit_events_fmp", "create", "/api/v1/audit_events_fmp/create",
            RouteParameters.event),
        compatible(
            .readEvent, "audit_events_fmp", "read", "/api/v1/audit_events_fmp/read",
            RouteParameters.reading),
        compatible(
            .eventHistory, "audit_events_fmp", "history", "/api/v1/audit_events_fmp/history",
            RouteParameters.subject),
        compatible(
            .indexEvents, "audit_events_fmp", "index", "/api/v1/audit_events_fmp/index",
            RouteParameters.index),
        compatible(
            .eraseEvent, "audit_events_fmp", "erase", "/api/v1/audit_events_fmp/erase",
            RouteParameters.erasure),
        compatible(
            .createToken, "tokens", "create", "/api/v1/tokens/create", RouteParameters.token),
        compatible(
            .indexTokens, "tokens", "index", "/api/v1/tokens/index", RouteParameters.index),
        compatible(
            .revokeToken, "tokens", "revoke", "/api/v1/tokens/revoke", RouteParameters.id),
        compatible(
            .createSession, "sessions", "create", "/api/v1/sessions/create", RouteParameters.login,
            form: .sensitive, access: .open),
        compatible(
            .readSession, "sessions", "read", "/api/v1/sessions/read", RouteParameters.optionalID,
            access: .anySession),
        compatible(
            .deleteSession, "sessions", "delete", "/api/v1/sessions/delete",
            RouteParameters.optionalID, access: .anySession),
        compatible(
            .indexSessions, "sessions", "index", "/api/v1/sessions/index", RouteParameters.index),
        compatible(
            .registerClient, "users", "client_register", "/api/v1/users/client_register",
            RouteParameters.registration, form: .sensitive, access: .anySession),
        compatible(
            .createUser, "users", "create", "/api/v1/users/create", RouteParameters.user),
        compatible(
            .readUser, "users", "read", "/api/v1/users/read", RouteParameters.userName),
        compatible(
            .indexUsers, "users", "index", "/api/v1/users/index", RouteParameters.index),
        compatible(
            .updateUser, "users", "update", "/api/v1/users/update", RouteParameters.userChange),
        compatible(
            .deleteUser, "users", "delete", "/api/v1/users/delete", RouteParameters.id),
        compatible(
            .createApplication, "applications", "create", "/api/v1/applications/create",
            RouteParameters.namedSlug),
        compatible(
            .readApplication, "applications", "read", "/api/v1/applications/read",
            RouteParameters.slug),
        compatible(
            .indexApplications, "applications", "index", "/api/v1/applications/index",
            RouteParameters.index),
        compatible(
            .updateApplication, "applications", "update", "/api/v1/applications/update",
            RouteParameters.namedSlug),
        compatible(
            .deleteApplication, "applications", "delete", "/api/v1/applications/delete",
            RouteParameters.slug),
        compatible(
            .createRole, "roles", "create", "/api/v1/roles/create", RouteParameters.role),
        compatible(
            .indexRoles, "roles", "index", "/api/v1/roles/index", RouteParameters.index),
        compatible(
            .updateRole, "roles", "update", "/api/v1/roles/update", RouteParameters.role),
        compatible(
            .deleteRole, "roles", "delete", "/api/v1/roles/delete", RouteParameters.slug),
        compatible(
            .indexServices, "services", "index", "/api/v1/services/index", RouteParameters.index),
        compatible(
            .deployService, "services", "deploy", "/api/v1/services/deploy", RouteParameters.service
        ),
        compatible(
            .withdrawService, "services", "withdraw", "/api/v1/services/withdraw",
            RouteParameters.service),
        compatible(
            .indexRoutes, "routes", "index", "/api/v1/routes/index", RouteParameters.index),
        compatible(
            .deployRoute, "routes", "deploy", "/api/v1/routes/deploy", RouteParameters.route),
        compatible(
            .withdrawRoute, "routes", "withdraw", "/api/v1/routes/withdraw", RouteParameters.route),
        compatible(
            .indexNotifications, "notifications", "index", "/api/v1/notifications/index",
            RouteParameters.index),
        compatible(
            .readNotification, "notifications", "read", "/api/v1/notifications/read",
            RouteParameters.id),
        compatible(.readRules, "alerts", "read", "/api/v1/alerts/read", []),
        compatible(
            .updateRules, "alerts", "update", "/api/v1/alerts/update", RouteParameters.rules),
        native(
            .appendEvents, [.post], "/v1/events", form: .events,
            permission: ("audit_events_fmp", "create")),
        native(
            .replayEvents, [.get, .head], "/v1/events", permission: ("events", "replay"),
            query: NativeParameters.replay),
        native(
            .nativeEvent, [.get, .head], "/v1/events/", permission: ("audit_events_fmp", "read"),
            query: NativeParameters.event),
        native(.cluster, [.get, .head], "/v1/cluster"),
        native(
            .transfer, [.post], "/v1/cluster/transfer", form: .parameters,
            permission: ("cluster", "transfer"), parameters: RouteParameters.node),
        native(.seal, [.post], "/v1/cluster/seal", permission: ("cluster", "backup")),
        native(
            .indexMembers, [.get, .head], "/v1/cluster/members", permission: ("members", "index")),
        native(
            .addMember, [.post], "/v1/cluster/members", form: .parameters,
            permission: ("members", "create"), parameters: RouteParameters.member),
        native(
            .promoteMember, [.post], "/v1/cluster/members/promote", form: .parameters,
            permission: ("members", "promote"), parameters: RouteParameters.node),
        native(
            .removeMember, [.post], "/v1/cluster/members/remove", form: .parameters,
            permission: ("members", "delete"), parameters: RouteParameters.node),
        native(
            .clusterFiles, [.get], "/v1/cluster/files", permission: ("cluster", "backup"),
            query: NativeParameters.files),
        native(
            .compact, [.post], "/v1/compactions", form: .parameters,
            permission: ("compactions", "create"), parameters: RouteParameters.compaction),
        native(
            .indexHolds, [.get, .head], "/v1/holds", permission: ("holds", "index"),
            query: NativeParameters.holds),
        native(
            .addHold, [.post], "/v1/holds", form: .parameters, permission: ("holds", "create"),
            parameters: RouteParameters.erasure),
        native(
            .removeHold, [.delete], "/v1/holds/", permission: ("holds", "delete"),
            query: NativeParameters.hold),
        native(
            .eraseNative, [.post], "/v1/erasures", form: .parameters,
            permission: ("audit_events_fmp", "erase"), parameters: RouteParameters.erasure),
        native(.live, [.get, .head], "/health/live", needsToken: false),
        native(
            .ready, [.get, .head], "/health/ready", needsToken: false,
            query: NativeParameters.readiness),
        native(.metrics, [.get, .head], "/metrics", needsToken: false),
        native(.openAPI, [.get, .head], "/openapi.json", needsToken: false),
    ]

    /// The services and the `resource/action` routes that can be deployed and withdrawn. A native
    /// route goes with the compatible one whose permission it needs.
    package static let services: [String] = {
        var services: [String] = []
        for route in routes {
            guard let service = route.permission?.resource, !services.contains(service) else {
                continue
            }
            services.append(service)
        }
        return services
    }()

    package static let names: [String] = {
        var names: [String] = []
        for route in routes {
            guard let (resource, action) = route.permission,
                !names.contains("\(resource)/\(action)")
            else { continue }
            names.append("\(resource)/\(action)")
        }
        return names
    }()

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

    /// Permissions of `anySession` routes are judged where they are carried out: what is one's own
    /// needs none.
    private static func compatible(
        _ action: RouteAction, _ resource: String, _ verb: String, _ path: StaticString,
        _ parameters: [RouteParameter], form: BodyForm = .parameters,
        access: Route.Access = .credential
    ) -> Route {
        Route(
            action: action, surface: .compatible,
            methods: verb == "update" ? [.post, .put] : [.post], path: path, form: form,
            permission: (resource, verb), access: access,
            parameters: parameters + (access == .open ? [] : RouteParameters.common), query: [],
            label: "\(resource)/\(verb)")
    }

    private static func native(
        _ action: RouteAction, _ methods: [HTTPMethod], _ path: StaticString,
        form: BodyForm = .none, permission: (String, String)? = nil, needsToken: Bool = true,
        parameters: [RouteParameter] = [], query: [NativeParameter] = []
    ) -> Route {
        Route(
            action: action, surface: .native, methods: methods, path: path, form: form,
            permission: permission.map { (resource: $0.0, action: $0.1) },
            access: needsToken ? .credential : .open, parameters: parameters, query: query,
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
