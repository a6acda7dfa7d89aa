// What the document says of routes for people. A route without words is told by its name.

enum RouteWords {
    /// One line about the route; nil where its name says it.
    static func summary(_ action: RouteAction) -> String? {
        switch action {
        case .createEvent: "Record an event, or a further revision of one"
        case .readEvent: "Read the latest revision of an event, or another one"
        case .eventHistory: "Read all revisions of an event"
        case .indexEvents: "Search the newest revisions of events"
        case .eraseEvent, .eraseNative: "Erase an event with all its revisions"
        case .appendEvents: "Record many events: one answer a line, in order"
        case .replayEvents: "Read the log in sequence order, as lines"
        case .nativeEvent: "Read an event, or with `history` all its revisions as lines"
        case .createToken: "Make a token; its secret is shown once"
        case .revokeToken: "End a token for good"
        case .createSession: "Log in with a password"
        case .readSession: "Read the session that the request comes with, or another"
        case .deleteSession: "Log out, or end another session"
        case .registerClient: "Register the session's user as a client"
        case .deployService, .deployRoute: "Serve again what was withdrawn"
        case .withdrawService, .withdrawRoute: "Stop serving, until it is deployed again"
        case .cluster: "What this gateway has heard of the nodes"
        case .transfer: "Make another node the leader"
        case .seal: "End the open segment, for a backup"
        case .clusterFiles: "Read a piece of a node's archive, for a backup"
        case .addMember: "Take in a node as a learner"
        case .promoteMember: "Make a learner a voter"
        case .removeMember: "Take a node out of the cluster"
        case .indexMembers: "List the members"
        case .compact: "Begin a run of compactions, or say what it would do"
        case .indexHolds: "List the legal holds"
        case .addHold: "Put an event under a legal hold"
        case .removeHold: "End a legal hold"
        case .live: "Whether the process runs its loop"
        case .ready: "Whether requests can be served, and why not"
        case .metrics: "Metrics as Prometheus text"
        case .openAPI: "This document"
        default: nil
        }
    }

    /// Answers that come in pieces for as long as they take.
    static func isStreaming(_ action: RouteAction) -> Bool {
        switch action {
        case .appendEvents, .replayEvents: true
        default: false
        }
    }

    /// What takes something away, or changes who may do what or which nodes there are.
    static func isDestructive(_ route: Route) -> Bool {
        switch route.action {
        case .seal, .transfer, .addMember, .promoteMember, .compact: true
        default:
            ["delete", "erase", "revoke", "withdraw"].contains(route.permission?.action ?? "")
        }
    }
}
