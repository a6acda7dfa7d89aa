import Ledger
import PeerWire
import Records

/// What clients asked and were told, in the order in which it happened.
package struct History {
    /// The content of an event: what makes two posts the same.
    struct Content {
        let uniqueID: [UInt8]
        /// The stored record as a gateway drafts it, revision and salt zero.
        let draft: [UInt8]
        /// SHA-256 over the eight parameters, as the record has it.
        let digest: [UInt8]
        let token: TokenID
    }

    /// One row of a read.
    struct Row: Equatable {
        let sequence: Sequence
        let revision: Revision
        /// 64 hexadecimal digits.
        let leafHash: [UInt8]
        var kind = Kind.whole

        enum Kind: Equatable {
            case whole, compacted, erased
        }
    }

    enum Request {
        /// `content` is the place in `contents`.
        case append(content: Int, expected: Revision?)
        case event(uniqueID: [UInt8])
        case page(from: Sequence, Query.Consistency)
        case command(DirectoryCommand)
        case transfer(NodeID)
        case members(MemberChange)
    }

    enum Answer {
        case receipt(Receipt)
        case notAppended(isUnknown: Bool)
        case rows(RowsHead, [Row])
        case noRows
        case command(CommandReply.Outcome)
        case cluster(ClusterReply.Outcome)
    }

    struct Operation {
        let request: Request
        let gateway: Int
        /// Which life of the gateway.
        let gatewayLife: Int
        /// Places in the order of all invocations and completions.
        let invoked: Int
        var completed: Int?
        var answer: Answer?
    }

    var contents: [Content] = []
    var operations: [Operation] = []
    private var moments = 0

    /// Places of contents by digest; looked up, never walked.
    private var places: [[UInt8]: Int] = [:]

    mutating func add(_ content: Content) -> Int {
        contents.append(content)
        places[content.digest] = contents.count - 1
        return contents.count - 1
    }

    func content(withDigest digest: [UInt8]) -> Int? { places[digest] }

    /// Returns the operation's place.
    mutating func invoke(_ request: Request, gateway: Int, life: Int) -> Int {
        operations.append(
            Operation(
                request: request, gateway: gateway, gatewayLife: life, invoked: moment()))
        return operations.count - 1
    }

    mutating func complete(_ operation: Int, _ answer: Answer) {
        precondition(operations[operation].answer == nil, "operation \(operation) ends twice")
        operations[operation].completed = moment()
        operations[operation].answer = answer
    }

    private mutating func moment() -> Int {
        moments += 1
        return moments
    }
}
