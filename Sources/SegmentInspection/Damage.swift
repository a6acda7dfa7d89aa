import EventIndex
import Records
package import SegmentLog

/// A part of a file that is not what was written there.
package struct Damage: Equatable, Sendable {
    /// Offsets in the file; empty where something is missing rather than wrong.
    package let range: Range<Int>
    /// Why, for people.
    package let reason: String

    package init(_ range: Range<Int>, _ reason: String) {
        self.range = range
        self.reason = reason
    }

    init(_ range: Range<Int>, _ defect: LogDefect) { self.init(range, defect.text) }

    /// Joins neighbours that have the same reason. `ranges` rise.
    static func joining(_ ranges: [Range<Int>], _ reason: String) -> [Damage] {
        var joined: [Range<Int>] = []
        for range in ranges {
            if let last = joined.last, last.upperBound == range.lowerBound {
                joined[joined.count - 1] = last.lowerBound..<range.upperBound
            } else {
                joined.append(range)
            }
        }
        return joined.map { Damage($0, reason) }
    }
}

extension LogDefect {
    /// The defect in words.
    package var text: String {
        switch self {
        case .header(let defect): "segment header: \(defect.text)"
        case .entry(let defect): "entry: \(defect.text)"
        case .discontinuity(let found, let after):
            "entry \(found.index) of term \(found.term) does not continue entry \(after.index)"
        case .mismatch(let found, let expected):
            "entry \(found.index) stands where entry \(expected.index) belongs"
        case .unsealed: "ends without a SEAL, and is not the log's last segment"
        case .bytesAfterSeal: "bytes behind the SEAL"
        case .digest: "not the bytes that the manifest names"
        case .missing: "the file is missing"
        case .name: "the name is no segment's, and a node does not start with it"
        case .identity: "not readable: whose directory this is, is not known"
        case .vote: "neither copy is readable"
        case .persist: "no record is readable"
        case .manifest: "not whole"
        default: "\(self)"
        }
    }
}

extension SegmentHeaderDefect {
    var text: String {
        switch self {
        case .truncated(let have): "only \(have) bytes"
        case .zeroed: "all zero"
        case .magic: "no segment begins like this"
        case .format(let format): "format \(format) is not known"
        case .checksum: "the checksum is wrong"
        case .mismatch: "sound, but of another cluster or another place in the log"
        }
    }
}

extension EntryDefect {
    var text: String {
        switch self {
        case .truncated(let have, let need): "\(have) bytes where \(need) are needed"
        case .zeroed: "zeros where an entry belongs"
        case .format(let format): "format \(format) is not known"
        case .kind(let kind): "kind \(kind) is not known"
        case .length(let length): "\(length) is no length of an entry"
        case .checksum: "the checksum is wrong"
        case .record(let offset): "a record that is none, at \(offset) in what was read"
        }
    }
}

extension TableDefect {
    var text: String {
        switch self {
        case .unreadable(let error): "cannot be read: \(error.operation), errno \(error.code)"
        case .byteCount(let found, let expected): "\(found) bytes instead of \(expected)"
        case .header: "the header is not whole"
        case .name: "belongs to another table than its name says"
        case .seed: "its keys are hashed by another seed"
        case .filter: "the filter's checksum is wrong"
        case .fences: "the fences' checksum is wrong"
        case .block(let number): "the checksum of block \(number) is wrong"
        case .order: "rows do not rise"
        }
    }
}
