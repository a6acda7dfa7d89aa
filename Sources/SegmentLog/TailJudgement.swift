import BugZoo
package import Records

// Torn is not corrupt: the one table by which recovery decides about the end of the log. The same
// table is in docs/reference/segment-format.md; a test walks all of it.

/// What lies where the next entry belongs, behind the last good one.
enum TailPlace: Equatable, CaseIterable {
    /// Zeros, or the end of the file, or no file.
    case nothing
    /// Bytes that are no whole entry, or no whole segment header.
    case bad
    /// An entry or header that was written whole and does not belong here.
    case stray
    /// An entry or header of a kind or format that this version does not know, written whole.
    case unknown
}

/// What the persist records say about that place.
enum TailClaim: Equatable, CaseIterable {
    /// The newest record ends at or below the last good entry.
    case covered
    /// The newest record ends above it: what belongs here was durable.
    case beyond
    /// The newest record names another entry than the good one in the log.
    case contradicted
    /// A newer record may have been there and is not readable; the newest readable one is covered.
    case doubtful
    /// The same, and the newest readable one ends above the last good entry.
    case doubtfulBeyond
}

/// Whether something in the log proves that what belongs here was durable before it.
enum TailSequel: Equatable, CaseIterable {
    case none
    /// A later segment with a sound header, or a good entry behind a bad header.
    case later
}

/// What is done about the end of the log.
enum TailDecision: Equatable {
    /// The log ends here, and is whole.
    case accept
    /// What is here was never acknowledged: it is cut, physically, before anything is appended.
    case cut
    /// It was durable and is damaged: nothing is cut, other nodes are asked for it.
    case faulty
    /// Nobody can tell, or it must not be touched: the node does not start and says why.
    case stop
}

enum TailJudgement {
    static func decide(
        _ place: TailPlace, _ claim: TailClaim, _ sequel: TailSequel
    ) -> TailDecision {
        switch (place, claim, sequel) {
        case (.unknown, _, _), (_, .contradicted, _): .stop
        case (_, _, .later): .faulty
        case (.nothing, .covered, _), (.nothing, .doubtful, _): .accept
        case (.bad, .covered, _): .cut
        case (.bad, .beyond, _) where PlantedBug.damageTakenForTorn.isPlanted: .cut
        case (.nothing, .beyond, _) where PlantedBug.zerosTakenForEnd.isPlanted: .accept
        case (_, .beyond, _): .faulty
        case (.stray, .covered, _), (_, .doubtful, _), (_, .doubtfulBeyond, _): .stop
        }
    }
}

/// A part of the log that was durable and is not readable any more.
package struct FaultyTail: Error, Equatable, Sendable {
    /// The first bad place.
    package let file: String
    package let offset: Int
    package let defect: LogDefect
    /// The first index from which entries are missing. Later ones may be good.
    package let firstIndex: LogIndex
    /// The last entry that is known to have been durable.
    package let lastPosition: LogPosition
    package let lastChecksum: UInt32
    /// A newer persist record may have been there: more than that may have been durable.
    package let isDoubtful: Bool
}
