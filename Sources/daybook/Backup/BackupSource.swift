import Bytes
import Crypto
import HTTPWire
import JSON
import Linux
import Records
import SegmentLog

/// The files of a cluster's nodes, asked for through a gateway.
struct BackupSource {
    /// Why a piece does not come from this node.
    enum Failure: Error {
        /// It has another manifest by now.
        case absent
        case failed(CommandFailure)
    }

    struct Node: Equatable {
        let id: UInt64
        let isLeader: Bool
        let archivedThrough: UInt64
    }

    let client: HTTPClient
    let patienceSeconds: UInt64

    /// Seals the log, so that all that was acknowledged before is in segments; the SEAL's index.
    func seal() throws -> UInt64 {
        let body = try repeating {
            try send(HTTPRequest(method: "POST", target: "/v1/cluster/seal"))
        }
        let answer = try JSONAnswer(body)
        guard let index = UInt64(answer.text("sealed_through", answer.document.root)) else {
            throw CommandFailure(.notReady, "the gateway did not say where the log is sealed")
        }
        return index
    }

    /// The node to copy from: one that has archived through `index`, the leader last.
    func node(archivedThrough index: UInt64) throws -> Node {
        let start = Clock.monotonicNanoseconds()
        while true {
            let nodes = try nodes().filter { $0.archivedThrough >= index }
            if let node = nodes.first(where: { !$0.isLeader }) ?? nodes.first { return node }
            guard Clock.monotonicNanoseconds() - start < patienceSeconds * 1_000_000_000 else {
                throw CommandFailure(
                    .notReady, "no node has archived its log through entry \(index) in time")
            }
            client.pause(nanoseconds: 50_000_000)
        }
    }

    private func nodes() throws -> [Node] {
        let body = try repeating { try send(HTTPRequest(target: "/v1/cluster")) }
        let answer = try JSONAnswer(body)
        let root = answer.document.root
        let leader = answer.text("leader", root)
        return answer.elements("nodes", root).compactMap { node in
            guard answer.isTrue("reachable", node), let id = UInt64(answer.text("id", node)),
                let through = UInt64(answer.text("archived_through", node))
            else { return nil }
            return Node(
                id: id, isLeader: answer.text("id", node) == leader, archivedThrough: through)
        }
    }

    // MARK: Pieces

    func manifest(of node: Node, _ hash: SHA256) throws(Failure) -> Manifest {
        let bytes = try piece("piece=manifest&node=\(node.id)")
        guard let manifest = Manifest(bytes.span, hash), !manifest.voidsTail else {
            throw .absent
        }
        return manifest
    }

    func state(
        of segment: SegmentDescriptor, on node: Node, _ hash: SHA256
    ) throws(Failure) -> StateTableFile {
        let bytes = try piece("piece=state&node=\(node.id)&index=\(segment.lastIndex)")
        guard StateTableFile.digest(of: bytes, hash) == segment.stateTable else { throw .absent }
        return StateTableFile(seal: segment.lastIndex, bytes: bytes)
    }

    func digests(
        of segment: SegmentDescriptor, on node: Node, _ hash: SHA256
    ) throws(Failure) -> ChunkDigests {
        let bytes = try piece("piece=digests&" + Self.name(segment, node))
        var cursor = ByteCursor(0..<bytes.count)
        guard let digests = try? ChunkDigests(&cursor, bytes.span), cursor.remaining == 0,
            digests.root(hash) == segment.digest
        else { throw .absent }
        return digests
    }

    /// A chunk, held against its digest.
    func chunk(
        _ number: Int, of segment: SegmentDescriptor, _ digests: ChunkDigests, on node: Node,
        _ hash: SHA256
    ) throws(Failure) -> [UInt8] {
        let bytes = try piece("piece=chunk&chunk=\(number)&" + Self.name(segment, node))
        guard bytes.count == digests.range(of: number).count,
            ChunkDigests.digest(bytes.span, in: 0..<bytes.count, hash) == digests.chunks[number]
        else {
            throw .failed(
                CommandFailure(
                    .refused,
                    "node \(node.id) sent other bytes of \(segment.file) than its manifest names"))
        }
        return bytes
    }

    private static func name(_ segment: SegmentDescriptor, _ node: Node) -> String {
        "node=\(node.id)&index=\(segment.firstIndex)&generation=\(segment.generation)"
    }

    private func piece(_ query: String) throws(Failure) -> [UInt8] {
        do {
            return try repeating { try send(HTTPRequest(target: "/v1/cluster/files?\(query)")) }
        } catch let refusal as Refused {
            switch refusal.status {
            case 404: throw .absent
            case 409:
                throw .failed(
                    CommandFailure(.refused, "the node cannot read what is asked for: \(query)"))
            default: throw .failed(refusal.failure)
            }
        } catch let failure as CommandFailure {
            throw .failed(failure)
        } catch {
            throw .failed(CommandFailure(.notReady, "\(error)"))
        }
    }

    // MARK: Requests

    private struct Refused: Error {
        let status: Int
        let isTransient: Bool
        let failure: CommandFailure
    }

    private func send(_ request: HTTPRequest) throws -> [UInt8] {
        let head = try client.send(request)
        let body = try client.collectBody(limit: HTTPClient.answerLimit)
        guard (200..<300).contains(head.status) else {
            let refusal = ServiceRefusal(head, body)
            throw Refused(
                status: head.status, isTransient: refusal.isTransient, failure: refusal.failure)
        }
        return body
    }

    /// Again while nobody answers, as long as patience lasts.
    private func repeating(_ work: () throws -> [UInt8]) throws -> [UInt8] {
        var patience = Patience(seconds: patienceSeconds, now: Clock.monotonicNanoseconds())
        while true {
            let reason: CommandFailure
            do {
                return try work()
            } catch let refusal as Refused where refusal.isTransient {
                reason = refusal.failure
            } catch let failure as HTTPFailure {
                reason = CommandFailure(.notReady, "\(failure)")
            } catch let refusal as Refused where refusal.status != 404 && refusal.status != 409 {
                throw refusal.failure
            }
            let now = Clock.monotonicNanoseconds()
            guard let pause = patience.pause(now: now, retryAfterSeconds: nil) else { throw reason }
            client.pause(nanoseconds: pause)
        }
    }
}
