import Bytes
import Records

/// Reads the rows that nodes write as JSON, one a line, as far as the checks need them.
enum RowReading {
    private static let sequenceName = Array(",\"sequence\":".utf8)
    private static let revisionName = Array(",\"revision\":".utf8)
    private static let leafName = Array("\"leaf_hash\":\"".utf8)

    static func rows(of text: [UInt8]) -> [History.Row] {
        text.split(separator: UInt8(ascii: "\n")).map { line in
            let sequence = number(after: sequenceName, in: line)
            let revision = number(after: revisionName, in: line)
            let leaf = place(after: leafName, in: line).map {
                line[$0..<min($0 + 64, line.endIndex)]
            }
            return History.Row(
                sequence: Sequence(sequence ?? .max), revision: Revision(UInt32(revision ?? 0)),
                leafHash: Array(leaf ?? []), kind: kind(of: line))
        }
    }

    private static let erasedBegin = Array("{\"erased\":true,".utf8)
    private static let compactedName = Array(",\"compacted\":true,\"sequence\":".utf8)

    private static func kind(of line: ArraySlice<UInt8>) -> History.Row.Kind {
        if line.starts(with: erasedBegin) { return .erased }
        return place(after: compactedName, in: line) == nil ? .whole : .compacted
    }

    private static func number(after name: [UInt8], in line: ArraySlice<UInt8>) -> UInt64? {
        guard var place = place(after: name, in: line) else { return nil }
        var value: UInt64 = 0
        while place < line.endIndex, (48...57).contains(line[place]) {
            value = value * 10 + UInt64(line[place] - 48)
            place += 1
        }
        return value
    }

    /// The last occurrence: what clients wrote stands in front of what the log says.
    private static func place(after name: [UInt8], in line: ArraySlice<UInt8>) -> Int? {
        guard line.count >= name.count else { return nil }
        var place = line.endIndex - name.count
        while place >= line.startIndex {
            if line[place] == name[0], line[place..<(place + name.count)].elementsEqual(name) {
                return place + name.count
            }
            place -= 1
        }
        return nil
    }
}
