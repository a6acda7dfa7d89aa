import Bytes
import Records

/// What is about to be written as one group of several entries.
///
/// When such a write is cut by a crash, any of its sectors may be there: a bad entry can be
/// followed by good ones of the same write. Only this record tells that apart from damage to
/// something that had been written before. A group of one entry needs none. A record that is not
/// readable announces nothing: then no group was begun.
struct Announcement: Equatable {
    static let encodedSize = 64
    /// Bytes of the file.
    static let fileSize = 4_096
    static let newName = FileName.announcement + ".new"
    /// "DAYBKGRP"
    private static let magic: UInt64 = 0x5052_474b_4259_4144
    private static let format: UInt32 = 1

    /// First index of the segment.
    let segment: LogIndex
    /// Offsets in the segment.
    let range: Range<Int>

    init(segment: LogIndex, range: Range<Int>) {
        self.segment = segment
        self.range = range
    }

    /// Reads a record; nil when there is none.
    init?(_ bytes: Span<UInt8>) {
        guard bytes.count >= Self.encodedSize,
            bytes.littleEndian(UInt64.self, at: 0) == Self.magic,
            bytes.littleEndian(UInt32.self, at: 8) == Self.format,
            bytes.littleEndian(UInt32.self, at: 60)
                == CRC32C.checksum(bytes.extracting(0..<60))
        else { return nil }
        let begin: UInt64 = bytes.littleEndian(at: 24)
        let end: UInt64 = bytes.littleEndian(at: 32)
        guard begin < end, end <= UInt64(UInt32.max) else { return nil }
        segment = LogIndex(bytes.littleEndian(at: 16))
        range = Int(begin)..<Int(end)
    }

    var encoded: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.encodedSize)
        bytes.put(littleEndian: Self.magic, at: 0)
        bytes.put(littleEndian: Self.format, at: 8)
        bytes.put(littleEndian: segment.value, at: 16)
        bytes.put(littleEndian: UInt64(range.lowerBound), at: 24)
        bytes.put(littleEndian: UInt64(range.upperBound), at: 32)
        bytes.put(littleEndian: CRC32C.checksum(bytes.span.extracting(0..<60)), at: 60)
        return bytes
    }
}
