import Bytes
import Records

/// The order of the rows of an index of events.
enum EventIndexSort: String, CaseIterable, Sendable {
    case sequence
    case start = "start_time"
    case recorded = "recorded_at"
}

/// Where a row stands in a sort by start_time; equal times by sequence.
struct EventIndexKey: Comparable, Sendable {
    let time: Timestamp
    let sequence: Sequence

    static func < (left: EventIndexKey, right: EventIndexKey) -> Bool {
        (left.time, left.sequence) < (right.time, right.sequence)
    }
}

/// Where a request to the index of events goes on: what its cursor says.
struct EventIndexPosition: Equatable, Sendable {
    /// Behind the log when the first page was asked for. What came later is not looked at, so that
    /// pages fit together while events are appended.
    var end: Sequence
    /// Rising the next sequence to look at, falling the one behind it. Of a sort by start_time the
    /// first of the stretch that is sorted.
    var place: Sequence
    /// Rows that are still to be passed by, for `page.number`.
    var skipped: UInt64 = 0
    /// Matches so far, where they are counted, and up to where: the sequence behind, falling the
    /// last one.
    var count: UInt64?
    var counted: Sequence
    /// Of a sort by start_time: the sequence behind the stretch, and the last row that was shown.
    var stretchEnd: Sequence?
    var shown: EventIndexKey?
}

/// What a cursor is bound to: another cluster, search or order has no use for it.
struct EventIndexBinding: Equatable, Sendable {
    /// A part of the cluster's id.
    let cluster: UInt64
    /// A checksum of search and filters.
    let search: UInt32
    let sort: EventIndexSort
    let isFalling: Bool

    private var text: String {
        [
            "e1", String(cluster, radix: 16), String(search, radix: 16), sort.rawValue,
            isFalling ? "d" : "a",
        ].joined(separator: "/")
    }

    /// The cursor of a position. Nobody but this type reads it.
    func cursor(_ position: EventIndexPosition) -> String {
        let numbers: [UInt64?] = [
            position.end.value, position.place.value, position.skipped, position.count,
            position.counted.value, position.stretchEnd?.value,
            position.shown.map { UInt64(bitPattern: $0.time.microseconds) },
            position.shown?.sequence.value,
        ]
        let words = numbers.map { $0.map { String($0) } ?? "-" }
        return Base64.encode(
            Array("\(text)/\(words.joined(separator: "/"))".utf8), alphabet: .urlSafe)
    }

    /// The position of a cursor; nil when it is none, or bound to something else.
    func position(_ cursor: [UInt8]) -> EventIndexPosition? {
        let words = String(decoding: cursor, as: UTF8.self).split(
            separator: "/", omittingEmptySubsequences: false)
        guard words.count == 13, words[..<5].joined(separator: "/") == text else { return nil }
        var numbers: [UInt64?] = []
        for word in words[5...] {
            if word == "-" {
                numbers.append(nil)
            } else if let number = UInt64(word) {
                numbers.append(number)
            } else {
                return nil
            }
        }
        guard let end = numbers[0], let place = numbers[1], let skipped = numbers[2],
            let counted = numbers[4], end < 1 << 62, place <= end, counted <= end,
            (numbers[5] ?? place) >= place, (numbers[5] ?? end) <= end,
            skipped <= UInt64(Int32.max), (numbers[3] ?? 0) <= end,
            (numbers[6] == nil) == (numbers[7] == nil), numbers[5] == nil || sort == .start
        else { return nil }
        var position = EventIndexPosition(
            end: Sequence(end), place: Sequence(place), skipped: skipped, count: numbers[3],
            counted: Sequence(counted))
        position.stretchEnd = numbers[5].map(Sequence.init)
        if let time = numbers[6], let sequence = numbers[7] {
            position.shown = EventIndexKey(
                time: Timestamp(microseconds: Int64(bitPattern: time)),
                sequence: Sequence(sequence))
        }
        return position
    }
}
