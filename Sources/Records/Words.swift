import Bytes

/// Position of an entry in the replicated log, from 1. Zero is the place before the first entry.
package struct LogIndex: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let value: UInt64

    package static let zero = LogIndex(0)

    @inlinable
    package init(_ value: UInt64) { self.value = value }

    package var description: String { String(value) }

    /// The index `distance` entries further on.
    package func advanced(by distance: Int) -> LogIndex {
        LogIndex(UInt64(Int64(value) + Int64(distance)))
    }

    package var next: LogIndex { LogIndex(value + 1) }

    /// The index before this one. Traps at zero.
    package var previous: LogIndex { LogIndex(value - 1) }

    package static func < (left: LogIndex, right: LogIndex) -> Bool { left.value < right.value }
}

/// A period with at most one leader (Raft paper section 5.1). Zero is before the first election.
package struct Term: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let value: UInt64

    package static let zero = Term(0)

    package init(_ value: UInt64) { self.value = value }

    package var description: String { String(value) }

    package var next: Term { Term(value + 1) }

    package static func < (left: Term, right: Term) -> Bool { left.value < right.value }
}

/// Which entry is meant, whoever says it: an index alone may name two entries of different terms.
package struct LogPosition: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let term: Term
    package let index: LogIndex

    package static let zero = LogPosition(term: .zero, index: .zero)

    package init(term: Term, index: LogIndex) {
        self.term = term
        self.index = index
    }

    package var description: String { "\(term)/\(index)" }

    /// The order of "at least as up to date" (Raft paper section 5.4.1).
    package static func < (left: LogPosition, right: LogPosition) -> Bool {
        (left.term, left.index) < (right.term, right.index)
    }
}

/// Position of an event among all events, from 0, without gaps; also its leaf number.
package struct Sequence: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let value: UInt64

    package static let zero = Sequence(0)
    /// What is read of others is no more, so that it can be counted on from. No log comes near.
    package static let greatest = Sequence(1 << 62 - 1)

    package init(_ value: UInt64) { self.value = value }

    package var description: String { String(value) }

    package func advanced(by distance: Int) -> Sequence {
        Sequence(UInt64(Int64(value) + Int64(distance)))
    }

    package static func < (left: Sequence, right: Sequence) -> Bool { left.value < right.value }
}

/// Which version of one unique_id: 1, 2, …. Zero stands for "there is none".
package struct Revision: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let value: UInt32

    package static let zero = Revision(0)

    package init(_ value: UInt32) { self.value = value }

    package var description: String { String(value) }

    package var next: Revision { Revision(value + 1) }

    package static func < (left: Revision, right: Revision) -> Bool { left.value < right.value }
}

/// A member of the cluster, as its operator numbers it, from 1.
package struct NodeID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let value: UInt32

    package init(_ value: UInt32) { self.value = value }

    package var description: String { String(value) }

    package static func < (left: NodeID, right: NodeID) -> Bool { left.value < right.value }
}

/// 128 random bits: the name of a cluster, a disk incarnation or a request, or a salt.
package struct Identifier: Hashable, Sendable, CustomStringConvertible {
    package let high: UInt64
    package let low: UInt64

    /// Bytes in the encoded form: `high`, then `low`, each little-endian.
    package static let encodedSize = 16

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Reads 16 bytes at `offset`. Traps when the span is too short.
    package init(_ bytes: Span<UInt8>, at offset: Int) {
        self.init(
            high: bytes.littleEndian(at: offset), low: bytes.littleEndian(at: offset + 8))
    }

    /// Reads 32 hexadecimal digits, as `description` writes them; nil when it is anything else.
    package init?(_ text: String) {
        guard let bytes = Hex.decode(text.utf8Span.span), bytes.count == Self.encodedSize else {
            return nil
        }
        self.init(bytes.span, at: 0)
    }

    package func append(to bytes: inout [UInt8]) {
        bytes.append(littleEndian: high)
        bytes.append(littleEndian: low)
    }

    /// Appends 32 hexadecimal digits, in the order of the encoded bytes.
    package func appendHex(to text: inout [UInt8]) {
        Hex.append(littleEndian: high, to: &text)
        Hex.append(littleEndian: low, to: &text)
    }

    /// 32 hexadecimal digits, in the order of the encoded bytes.
    package var description: String {
        var text: [UInt8] = []
        appendHex(to: &text)
        return String(decoding: text, as: UTF8.self)
    }
}

/// Microseconds of UTC since 1970-01-01, leap seconds not counted.
package struct Timestamp: Hashable, Comparable, Sendable {
    package let microseconds: Int64

    /// Stands for "no time was given".
    package static let absent = Timestamp(microseconds: .min)

    package init(microseconds: Int64) { self.microseconds = microseconds }

    package static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.microseconds < right.microseconds
    }

    package func advanced(byMicroseconds distance: Int) -> Timestamp {
        Timestamp(microseconds: microseconds + Int64(distance))
    }
}

/// A reading of the monotonic clock in nanoseconds. Deciders are given it; they never ask for it.
package struct Instant: Hashable, Comparable, Sendable {
    package let nanoseconds: UInt64

    package static let zero = Instant(nanoseconds: 0)

    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    package static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    package func advanced(byNanoseconds distance: UInt64) -> Instant {
        Instant(nanoseconds: nanoseconds + distance)
    }

    /// Nanoseconds from `earlier` to this reading; 0 when `earlier` is later.
    package func nanoseconds(since earlier: Instant) -> UInt64 {
        nanoseconds > earlier.nanoseconds ? nanoseconds - earlier.nanoseconds : 0
    }
}
