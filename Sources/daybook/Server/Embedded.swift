import Linux
import Server
import Synchronization

/// A node and a gateway in one process, for `daybook serve`.
enum Embedded {
    /// Runs both until a signal ends them; throws what the first of them failed with.
    static func run(
        _ node: NodeConfiguration, _ gateway: GatewayConfiguration, tokenPath: String
    ) throws {
        let signals = try Signals.Watch()
        let gatewayServer = try GatewayServer(gateway)
        let outcome = try Mailbox<String?>(isBlocking: true)
        let stopper = gatewayServer.stopper
        var nodeStopper: @Sendable () -> Void = {}
        try StreamSocket.pair().split { nodeEnd, gatewayEnd in
            try gatewayServer.adopt(gatewayEnd)
            nodeStopper = try startNode(node, nodeEnd, outcome, stopper)
        }
        try signals.stop(stopper)
        let port = try gatewayServer.localPort()
        StandardStream.error.write(
            "daybook serves http://127.0.0.1:\(port); administrator's token: \(tokenPath)\n")
        try gatewayServer.run()
        nodeStopper()
        var outcomes: [String?] = []
        outcome.waitAndTake(into: &outcomes)
        if let failure = outcomes.compactMap({ $0 }).first { throw NodeFailure(failure) }
    }

    /// Starts the node's thread; returns what ends it, once the node has recovered.
    private static func startNode(
        _ configuration: NodeConfiguration, _ socket: consuming StreamSocket,
        _ outcome: Mailbox<String?>, _ stopGateway: @escaping @Sendable () -> Void
    ) throws -> @Sendable () -> Void {
        let started = try Mailbox<Result<@Sendable () -> Void, NodeFailure>>(isBlocking: true)
        let end = Mutex<StreamSocket?>(socket)
        let thread = try Thread.start(name: "node") {
            do {
                let server = try NodeServer(configuration)
                if let socket = end.withLock({ $0.take() }) { try server.adopt(socket) }
                started.put(.success(server.stopper))
                try server.run()
                outcome.put(nil)
            } catch {
                started.put(.failure(NodeFailure("\(error)")))
                outcome.put("\(error)")
                stopGateway()
            }
        }
        _ = consume thread
        var results: [Result<@Sendable () -> Void, NodeFailure>] = []
        started.waitAndTake(into: &results)
        return try results[0].get()
    }
}
