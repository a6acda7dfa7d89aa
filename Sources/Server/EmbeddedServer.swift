package import Linux
import SegmentLog
import Synchronization

/// A node and a gateway in one process, joined by a socket pair: `daybook serve`.
package enum EmbeddedServer {
    /// Runs both on this thread and one more until they are stopped, and throws what the first of
    /// them failed with. `onStart` is told the gateway's port, what ends the run, and what gives it
    /// another certificate.
    package static func run(
        _ node: NodeConfiguration, _ gateway: GatewayConfiguration,
        onStart: (
            UInt16, @escaping @Sendable () -> Void, @escaping @Sendable (TLSContext) -> Void
        ) throws -> Void
    ) throws {
        let gatewayServer = try GatewayServer(gateway)
        let outcome = try Mailbox<String?>(isBlocking: true)
        let stopper = gatewayServer.stopper
        var nodeStopper: @Sendable () -> Void = {}
        try StreamSocket.pair().split { nodeEnd, gatewayEnd in
            try gatewayServer.adopt(gatewayEnd)
            nodeStopper = try startNode(node, nodeEnd, outcome, stopper)
        }
        try onStart(try gatewayServer.localPort(), stopper, gatewayServer.renewer)
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
                guard try server.run() == .stopped else {
                    throw NodeFailure("the files have to be opened anew: start it again")
                }
                outcome.put(nil)
            } catch {
                let error =
                    (error as? FaultyTail).map {
                        NodeDirectory.failure($0, in: configuration.directory)
                    } ?? error
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
