import Records

// What answers hold. Objects are closed, so that a test which validates answers finds what is not
// told here.

enum AnswerSchemas {
    private static let id = Schema.hexadecimal(16)

    /// `components/schemas`, by name.
    static let components: [(name: String, schema: Schema)] =
        [
            ("Fault", fault), ("Problem", problem), ("Event", event), ("Receipt", receipt),
            ("Token", token), ("Session", session), ("User", user), ("Role", role),
            ("Application", application), ("ApplicationView", applicationView),
            ("Member", member), ("Node", node), ("Cluster", cluster),
        ] + refusals

    // MARK: Refusals

    private static let fault = Schema.object([
        .required("attr", .text()), .required("message", .words(kinds)),
        .required("detail", .text()),
    ])

    private static let kinds = ParameterFault.Kind.allCases.map(\.rawValue)

    private static let problem = Schema.object([
        .required("type", .text()), .required("title", .text()),
        .required("status", .integer(400...599)), .required("detail", .text()),
        .optional("request_id", .text()),
        .optional("errors", .array(.reference("Fault"))),
    ])

    /// HTTP statuses of refusals on the compatible surface.
    static let codes: [Int] = Set(Status.allCases.map(\.code)).subtracting([200]).sorted()

    private static let refusals: [(name: String, schema: Schema)] = codes.map { code in
        let slugs = Status.allCases.filter { $0.code == code }.map { "\($0.slug)" }
        let outcome = Schema.object([.required("outcome", .words(["none", "unknown"]))])
        return (
            "Refusal\(code)",
            .object([
                .required("code", .code(code)), .required("status", .words(slugs)),
                .required("message", .text()),
                .optional("data", code == 503 ? outcome : .object([], isOpen: true)),
                .optional("errors", .array(.reference("Fault"))),
                .optional("session", .reference("Session")),
                .optional("application", .reference("ApplicationView")),
                .optional("redirect", .text()), .required("request_id", .text()),
            ])
        )
    }

    /// The envelope of a success of the compatible surface.
    static func envelope(_ data: Schema) -> Schema {
        .object([
            .required("code", .code(200)), .required("status", .words(["action-successful"])),
            .required("message", .text()), .required("data", data),
            .optional("session", .reference("Session")),
            .optional("application", .reference("ApplicationView")),
            .optional("redirect", .text()), .required("request_id", .text()),
        ])
    }

    // MARK: Events

    /// An event as it is read; of what was erased or compacted away only what is left of it.
    private static let event = Schema.object([
        .optional("unique_id", .text()), .optional("script_name", .text()),
        .optional("host_name", .text()), .optional("file_name", .text()),
        .optional("start_time", .text()), .optional("stop_time", .text()),
        .optional("notes", .array(.any)), .optional("updated_in", .text()),
        .optional("erased", .constant(true)), .optional("compacted", .constant(true)),
        .required("sequence", .integer()), .optional("revision", .integer()),
        .required("recorded_at", .time), .required("leaf_hash", .hexadecimal(64)),
        .optional("application", .text()), .optional("written_by", .text()),
    ])

    private static let receipt = Schema.object([
        .required("unique_id", .text()), .optional("sequence", .integer()),
        .optional("revision", .integer()), .optional("recorded_at", .time),
        .required("duplicate", .flag), .optional("erased", .constant(true)),
        .optional("leaf_hash", .hexadecimal(64)), .optional("salt", .hexadecimal(32)),
    ])

    // MARK: The directory

    private static let token = Schema.object([
        .required("id", id), .required("kind", .words(["app", "admin", "session"])),
        .required("application", .text()), .required("name", .text()),
        .required("permissions", .array(.text())), .optional("created_at", .time),
        .optional("revoked_at", .time),
    ])

    private static let session = Schema.object([
        .optional("id", id), .optional("token", .text()), .required("user_id", id),
        .required("created_at", .time), .required("expires_at", .nullable(.time)),
        .optional("application", .text()), .optional("user", .reference("User")),
        .optional("records", .array(.text())), .optional("roles", .array(.text())),
    ])

    private static let user = Schema.object([
        .required("id", id), .optional("email", .text()), .optional("first_name", .text()),
        .optional("last_name", .text()), .optional("phone", .text()),
        .optional("company_name", .text()), .optional("has_password", .flag),
        .optional("records", .array(.words(["client", "employee", "liaison"]))),
        .optional("roles", .array(.text())), .optional("remember_me", .flag),
        .optional("created_at", .time), .optional("updated_at", .time),
    ])

    private static let role = Schema.object([
        .required("application", .text()), .required("slug", .text()), .required("name", .text()),
        .required("permissions", .array(.text())),
    ])

    private static let application = Schema.object([
        .required("id", .integer()), .required("slug", .text()), .required("name", .text()),
    ])

    private static let applicationView = Schema.object([
        .required("id", .integer()), .required("slug", .text()), .required("name", .text()),
        .optional("permissions", .array(.text())),
    ])

    private static let changed = Schema.object([.required("changed", .constant(true))])
    private static let erased = Schema.object([
        .required("erased", .constant(true)), .required("events", .integer()),
    ])

    private static func index(_ row: Schema, summary: String) -> Schema {
        // With `view: summary` a row is what names it, alone.
        let short = Schema.object([.required(summary, .text())])
        return .object([
            .required("results", .array(.either([row, short]))),
            .optional("count", .integer()), .optional("next", .text()),
        ])
    }

    private static let events = Schema.object([
        .required("results", .array(.either([.reference("Event"), eventSummary]))),
        .optional("count", .integer()), .required("complete", .flag), .optional("next", .text()),
    ])

    private static let eventSummary = Schema.object([
        .required("unique_id", .text()), .required("script_name", .text()),
        .required("start_time", .text()), .optional("stop_time", .text()),
        .required("sequence", .integer()), .required("revision", .integer()),
    ])

    private static func deployment(_ name: String) -> Schema {
        .object([.required(name, .text()), .required("deployed", .flag)])
    }

    /// `data` of a success of a compatible route. Where nothing is told, some object.
    static func data(_ action: RouteAction) -> Schema {
        switch action {
        case .createEvent: .reference("Receipt")
        case .readEvent: .reference("Event")
        case .eventHistory: .object([.required("results", .array(.reference("Event")))])
        case .indexEvents: events
        case .eraseEvent: erased
        case .createToken: .object([.required("id", id), .optional("token", .text())])
        case .revokeToken: .object([.required("id", id), .required("revoked", .constant(true))])
        case .indexTokens: index(.reference("Token"), summary: "id")
        case .createSession, .readSession: .reference("Session")
        case .indexSessions: index(.reference("Session"), summary: "id")
        case .createUser, .readUser, .updateUser, .registerClient: .reference("User")
        case .indexUsers: index(.reference("User"), summary: "id")
        case .readApplication: .reference("Application")
        case .createApplication, .updateApplication: .either([.reference("Application"), changed])
        case .indexApplications: index(.reference("Application"), summary: "slug")
        case .createRole, .updateRole: .either([.reference("Role"), changed])
        case .indexRoles: index(.reference("Role"), summary: "role")
        case .indexServices: index(deployment("service"), summary: "service")
        case .indexRoutes: index(deployment("route"), summary: "route")
        case .deleteSession, .deleteUser, .deleteApplication, .deleteRole, .deployService,
            .withdrawService, .deployRoute, .withdrawRoute:
            changed
        default: .object([], isOpen: true)
        }
    }

    // MARK: The native surface

    /// What a native route answers with, by its media types; nil: nothing is told of the form.
    static func content(_ action: RouteAction) -> [(mediaType: String, schema: Schema?)] {
        switch action {
        case .appendEvents, .replayEvents: [("application/x-ndjson", nil)]
        case .nativeEvent:
            [("application/json", .reference("Event")), ("application/x-ndjson", nil)]
        case .clusterFiles: [("application/octet-stream", nil)]
        case .live, .ready, .metrics: [("text/plain", nil)]
        default: [("application/json", object(action))]
        }
    }

    private static func object(_ action: RouteAction) -> Schema {
        switch action {
        case .cluster: .reference("Cluster")
        case .transfer:
            .object([
                .required("leader", .integer()), .required("term", .integer()),
                .required("already", .flag),
            ])
        case .seal:
            .object([
                .required("sealed_through", .integer()), .required("next_sequence", .integer()),
            ])
        case .indexMembers, .addMember, .promoteMember, .removeMember:
            .object([
                .required("entry", .integer()), .required("voters", .integer()),
                .required("members", .array(.reference("Member"))),
            ])
        case .compact: .either([.object([.required("run", .integer())]), estimate])
        case .indexHolds:
            .object([.required("holds", .array(hold)), .required("more", .flag)])
        case .addHold: .object([.required("held", .constant(true))])
        case .removeHold: .object([.required("held", .constant(false))])
        case .eraseNative: erased
        default: .object([], isOpen: true)
        }
    }

    private static let figures: [Schema.Member] = [
        .required("events_compacted", .integer()), .required("events_erased", .integer()),
        .required("bytes_before", .integer()), .required("bytes_after", .integer()),
    ]

    private static let estimate = Schema.object([
        .required("dry_run", .constant(true)),
        .required(
            "segments",
            .array(
                .object(
                    [
                        .required("first_index", .integer()), .required("generation", .integer()),
                        .required("events_kept", .integer()),
                    ] + figures))), .required("next", .nullable(.integer())),
    ])

    private static let hold = Schema.object([
        .required("unique_id", .text()), .required("reason", .text()), .required("author", id),
        .required("since", .time),
    ])

    private static let memberFacts: [Schema.Member] = [
        .required("member", .words(["voter", "learner"])),
        .required("incarnation", .nullable(.text())), .required("disk_went_back", .flag),
    ]

    private static let member = Schema.object(
        [.required("id", .integer()), .required("address", .text())] + memberFacts + [
            .required("reachable", .flag), .required("durable_index", .integer()),
            .required("lag_entries", .integer()),
        ])

    /// Open: a gateway tells what it has heard, and nodes may come to say more.
    private static let node = Schema.object(
        [
            .required("id", .integer()), .required("address", .text()),
            .required("reachable", .flag),
            .required("role", .words(["leader", "follower", "candidate", "learner", "down"])),
            .required("term", .integer()), .required("commit", .integer()),
            .required("applied", .integer()), .required("last_index", .integer()),
            .required("next_sequence", .integer()), .required("log_bytes", .integer()),
        ], isOpen: true)

    private static let cluster = Schema.object(
        [
            .required("cluster_id", .text()), .required("version", .text()),
            .required("leader", .nullable(.integer())), .required("term", .integer()),
            .required("serves", .flag), .required("commit", .integer()),
            .required("next_sequence", .integer()), .required("nodes", .array(.reference("Node"))),
        ], isOpen: true)
}
