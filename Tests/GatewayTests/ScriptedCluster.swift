import Bytes
import Crypto
import PeerWire
import Records
import Testing

@testable import Gateway

/// A cluster client and the nodes that it talks to, which do what the test says.
struct ScriptedCluster {
    static let deadline: UInt64 = 1_000

    var client = ClusterClient(
        nodes: [NodeID(3), NodeID(1), NodeID(2)], deadlineNanoseconds: Self.deadline)
    var now = Instant(nanoseconds: 10)

    /// A submit as a node received it.
    struct Received: Equatable {
        let node: UInt32
        let batch: UInt64
        let ids: [String]
    }

    init(open: [UInt32] = [1, 2, 3]) {
        for node in open { client.opened(NodeID(node)) }
    }

    static func record(_ id: String) -> [UInt8] {
        let values = Array(id.utf8)
        var parameters = EventParameters()
        parameters.uniqueID = 0..<values.count
        var record: [UInt8] = []
        RecordEncoder.append(
            parameters, values: values, application: [], writtenBy: [], hash: SHA256(), to: &record)
        return record
    }

    mutating func append(_ id: String, exchange: UInt64 = 1, item: Int = 0) {
        let record = Self.record(id)
        client.append(
            record, 0..<record.count, expected: nil, exchange: ExchangeID(exchange), item: item,
            now: now)
    }

    mutating func lead(_ node: UInt32, term: UInt64, serves: Bool = true) {
        var status = NodeStatus(node: NodeID(node))
        status.role = .leader
        status.term = Term(term)
        status.serves = serves
        client.heard(status)
    }

    /// Ends a turn and returns the frames that it sent.
    mutating func turn(after nanoseconds: UInt64 = 0) -> [(node: UInt32, FrameKind, [UInt8])] {
        now = now.advanced(byNanoseconds: nanoseconds)
        client.endTurn(now: now)
        defer { client.frames.removeAll() }
        return client.frames.map { frames in
            var buffer = FrameBuffer()
            buffer.payloadLimit = Frame.payloadBytes
            buffer.bytes = frames.bytes
            guard let next = try? buffer.next() else { preconditionFailure("no frame") }
            return (frames.node.value, next.kind, Array(buffer.bytes[next.payload]))
        }
    }

    /// Ends a turn and returns the submits that it sent.
    mutating func submits(after nanoseconds: UInt64 = 0) throws -> [Received] {
        try turn(after: nanoseconds).filter { $0.1 == .submit }.map { node, _, payload in
            let range = 0..<payload.count
            var ids: [String] = []
            var offset = Submit.items(range).lowerBound
            while offset < range.upperBound {
                let (item, next) = try Submit.item(at: offset, end: payload.count, payload.span)
                ids.append(String(decoding: payload[item.record.uniqueID], as: UTF8.self))
                offset = next
            }
            return Received(node: node, batch: try Submit.head(range, payload.span).batch, ids: ids)
        }
    }

    mutating func answer(
        _ batch: UInt64, _ outcome: Receipts.Outcome, from node: UInt32, count: Int = 0,
        badVerdict: Bool = false
    ) throws {
        var payload: [UInt8] = []
        Receipts.begin(batch: batch, outcome: outcome, leader: nil, in: &payload)
        for number in 0..<count {
            Receipts.append(
                Receipt(verdict: .appended, revision: Revision(UInt32(number) + 1)), to: &payload)
        }
        if badVerdict { payload[payload.count - 72] = 99 }
        try client.receipts(0..<payload.count, payload.span, from: NodeID(node))
    }

    /// What was delivered since the last call, a word for each.
    mutating func delivered() -> [String] {
        defer { client.deliveries.removeAll() }
        return client.deliveries.map { delivery in
            switch delivery {
            case .receipt(let exchange, let item, let receipt):
                "\(exchange.value).\(item) revision \(receipt.revision)"
            case .notAppended(let exchange, let item, let why):
                "\(exchange.value).\(item) \(why)"
            case .rows(let exchange, let head, let rows):
                "\(exchange.value) \(head.outcome) \(String(decoding: rows, as: UTF8.self))"
            case .noRows(let exchange): "\(exchange.value) no rows"
            case .command(let exchange, let outcome): "\(exchange.value) \(outcome)"
            case .cluster(let exchange, let outcome, let wasSo):
                "\(exchange.value) \(outcome)\(wasSo ? ", as it was" : "")"
            case .fetched(let exchange, let fetched):
                "\(exchange.value) \(fetched.map { "\($0.outcome)" } ?? "no answer")"
            }
        }
    }
}
