import Bytes
import Crypto
import Records

/// What the clients do: draws operations, and remembers what each client is at.
struct Workload {
    enum Step {
        case append(content: Int, expected: Revision?)
        case event(uniqueID: [UInt8])
        case page(from: Sequence, stale: Bool)
        case createToken
        case revokeToken
    }

    struct Client {
        /// The operation under way, by place in the history.
        var operation: Int?
        /// What to ask again, after an answer that left it open.
        var again: History.Request?
        var attempts = 0
        /// Begins nothing new.
        var isDone = false
    }

    var clients: [Client]
    /// Tokens of applications: those that a create was acknowledged of and no revoke was asked for.
    var tokens: [TokenID] = []
    /// Unique_ids that a hold was asked for.
    var held: [[UInt8]] = []
    /// How often each unique_id was erased: then there is another one in its place.
    private var erasures: [Int: Int] = [:]
    var nextToken: UInt64 = 100
    var nextRequest: UInt64 = 1
    private var nextNote = 0
    var random: RandomSource
    private let options: SimulationOptions

    init(_ options: SimulationOptions, random: RandomSource) {
        self.options = options
        self.random = random
        clients = (0..<options.clientCount).map { _ in Client() }
    }

    mutating func pause() -> UInt64 { random.below(options.thinkTime * 2) }

    /// What a drawn unique_id begins and ends with, so that it is known wherever it stands.
    static let idPrefix = Array("event-".utf8)
    static let idEnd = UInt8(ascii: ";")

    mutating func uniqueID() -> [UInt8] {
        let number = random.below(options.idCount)
        var round = erasures[number] ?? 0
        // Now and then one that is closed.
        if round > 0, random.chance(15) { round -= 1 }
        return Self.id(number, round)
    }

    private static func id(_ number: Int, _ round: Int) -> [UInt8] {
        Array("event-\(number).\(round);".utf8)
    }

    mutating func idToErase() -> [UInt8] {
        let number = random.below(options.idCount)
        let round = erasures[number] ?? 0
        if random.chance(90) { erasures[number] = round + 1 }
        return Self.id(number, round)
    }

    mutating func takeHeld() -> [UInt8] { held.remove(at: random.below(held.count)) }

    /// New content of a drawn unique_id, or now and then some that was posted before.
    mutating func content(
        administrator: TokenID, hash: SHA256, in history: inout History
    ) -> Int {
        if !history.contents.isEmpty, random.chance(12) {
            let recent = min(history.contents.count, 40)
            return history.contents.count - 1 - random.below(recent)
        }
        let token = tokens.isEmpty || random.chance(60) ? administrator : random.pick(tokens)
        nextNote += 1
        return history.add(
            EventDraft.content(
                uniqueID: uniqueID(), note: nextNote, padding: options.notesBytes, token: token,
                hash: hash))
    }

    mutating func request() -> Identifier {
        nextRequest += 1
        return Identifier(high: nextRequest, low: options.seed)
    }

    mutating func newToken() -> TokenID {
        nextToken += 1
        return TokenID(nextToken)
    }
}

/// Drafts stored records, as gateways do.
enum EventDraft {
    static func content(
        uniqueID: [UInt8], note: Int, padding: Int, token: TokenID, hash: SHA256
    ) -> History.Content {
        var parameters = EventParameters()
        var values: [UInt8] = []
        func take(_ bytes: [UInt8]) -> Range<Int> {
            let start = values.count
            values += bytes
            return start..<values.count
        }
        parameters.uniqueID = take(uniqueID)
        parameters.scriptName = take(Array("simulated".utf8))
        parameters.hostName = take(Array("host".utf8))
        parameters.fileName = take(Array("file".utf8))
        parameters.startTime = take(Array("2026-11-24T08:00:00Z".utf8))
        parameters.startedAt = Timestamp(microseconds: 1_795_507_200_000_000)
        let spaces = String(repeating: "x", count: padding * (note % 3) / 2)
        parameters.notes = take(Array("{\"n\":\(note),\"x\":\"\(spaces)\"}".utf8))
        parameters.canonicalNotes = parameters.notes
        var draft: [UInt8] = []
        RecordEncoder.append(
            parameters, values: values, application: Array("simulation".utf8),
            writtenBy: Array(token.description.utf8), hash: hash, to: &draft)
        guard let view = try? RecordView(decoding: draft.span, at: 0, end: draft.count) else {
            preconditionFailure("a draft that is no record")
        }
        return History.Content(
            uniqueID: uniqueID, draft: draft, digest: draft.span.copy(view.digest), token: token)
    }
}
