import Bytes
import HTTPWire
import JSON
import PeerWire
import Records

// Commands about the cluster itself. Only administrators come this far.

extension GatewayCore {
    mutating func admitTransfer(
        _ credential: Credential, _ body: Range<Int>, _ bytes: Span<UInt8>
    ) throws(Refusal) -> Admission {
        try requireAdministrator(credential)
        try set.read(bytes, body: body, query: nil)
        return .cluster(.transfer(to: try node(bytes)), author: credential.id)
    }

    /// `{"node":4,"address":"host:port"}`, or the node alone where it is a member.
    mutating func admitMemberChange(
        _ route: Route, _ credential: Credential, _ body: Range<Int>, _ bytes: Span<UInt8>
    ) throws(Refusal) -> Admission {
        try requireAdministrator(credential)
        try set.read(bytes, body: body, query: nil)
        let node = try node(bytes)
        let change: MemberChange =
            switch route.action {
            case .addMember: .add(node, address: try address())
            case .promoteMember: .promote(node)
            default: .remove(node)
            }
        return .cluster(.change(change), author: credential.id)
    }

    /// The parameter `address`, as far as it can be judged without trying it.
    private func address() throws(Refusal) -> String {
        let detail = "HOST:PORT, where the other members and the gateways reach the node"
        switch set[.address] {
        case .absent: throw Refusal.judging([ParameterFault("address", .missing, detail)])
        case .value: break
        case .text(let range):
            guard range.count <= Limits.shortStringBytes else {
                throw Refusal.judging([
                    ParameterFault(
                        "address", .tooLong, "\(Limits.shortStringBytes) bytes at most")
                ])
            }
            let text = String(decoding: set.text[range], as: UTF8.self)
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard let port = parts.last.flatMap({ UInt16($0) }), port > 0, parts.count >= 2,
                !parts[0].isEmpty,
                text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ",") })
            else { break }
            return text
        }
        throw Refusal.judging([ParameterFault("address", .wrongType, detail)])
    }

    /// `piece` of the files of node `node`, for a backup.
    func admitFiles(
        _ credential: Credential, _ query: NativeQuery
    ) throws(Refusal) -> Admission {
        try requireAdministrator(credential)
        var faults: [ParameterFault] = []
        func number(_ name: StaticString, _ limit: UInt64) -> UInt64 {
            guard let text = query.text(name).map({ String(decoding: $0, as: UTF8.self) }) else {
                return 0
            }
            if let number = UInt64(text), number <= limit { return number }
            faults.append(ParameterFault("\(name)", .wrongType, "a whole number"))
            return 0
        }
        let node = NodeID(UInt32(number("node", UInt64(UInt32.max))))
        let index = LogIndex(number("index", .max >> 2))
        let generation = UInt32(number("generation", UInt64(UInt32.max)))
        let chunk = UInt32(number("chunk", UInt64(UInt32.max)))
        let segment = SegmentName(firstIndex: index, generation: generation)
        let piece = query.text("piece").map { String(decoding: $0, as: UTF8.self) }
        var item: FetchItem?
        switch piece {
        case "manifest": item = .manifest
        case "state": item = .stateTable(index)
        case "digests": item = .chunkDigests(segment)
        case "chunk": item = .chunk(segment, number: chunk)
        default:
            faults.append(
                ParameterFault("piece", .unrecognized, "manifest, state, digests or chunk"))
        }
        guard faults.isEmpty, let item else { throw Refusal.judging(faults) }
        return .fetch(item, node)
    }

    /// The member that the parameter `node` names.
    private func node(_ bytes: Span<UInt8>) throws(Refusal) -> NodeID {
        let detail = "the number of a node, from 1"
        switch set[.node] {
        case .absent:
            throw Refusal.judging([ParameterFault("node", .missing, detail)])
        case .text: break
        case .value(let node):
            if let number = set.document.integer(node, from: bytes),
                let id = UInt32(exactly: number), id > 0
            {
                return NodeID(id)
            }
        }
        throw Refusal.judging([ParameterFault("node", .wrongType, detail)])
    }
}
