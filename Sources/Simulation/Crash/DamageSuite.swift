import Records
import SegmentLog

/// Every single flipped bit, and every length, of a segment of 16 KiB and its persist records.
package struct DamageSuite {
    package static let segmentBytes = 16 * 1_024

    package struct Counts: Equatable, Sendable {
        /// Flips that made an acknowledged entry unreadable: it was said to be faulty.
        package var faulty = 0
        /// Flips in the zeros behind the log: they were cut.
        package var cut = 0
        /// Flips in one copy of a persist record: the other was believed.
        package var healed = 0
        /// Sectors that hold entries, zeroed: they were said to be faulty.
        package var zeroed = 0
        /// Lengths of the segment's file.
        package var lengths = 0
    }

    private let log: ScriptedLog
    private let file = FileName.segment(LogIndex(1))
    private let recordStride: Int

    /// Fills most of a segment, in groups of one to four entries, all acknowledged.
    ///
    /// `recordStride`: of the records, one bit in this many is flipped.
    package init(segmentBytes: Int = Self.segmentBytes, recordStride: Int = 1) throws {
        self.recordStride = recordStride
        var log = try ScriptedLog(
            settings: LogSettings(segmentBytes: segmentBytes, groupEntries: 4))
        var number = 0
        while log.catalogue.end().offset < segmentBytes * 5 / 8 {
            let sizes = (0...(number % 4)).map { 8 + (number + $0) * 7 % 16 * segmentBytes / 512 }
            try log.append(sizes)
            number += 1
        }
        self.log = log
    }

    /// Throws a Violation when anything acknowledged is lost, or damage not noticed.
    package func run() throws -> Counts {
        var counts = Counts()
        let end = log.catalogue.end().offset
        counts.zeroed = try runZeros(end: end)
        counts.lengths = try runLengths(end: end)
        for bit in 0..<(log.disk.contents(of: file)?.count ?? 0) * 8 {
            log.disk.flipBit(bit, of: file)
            let found = try inspect("bit \(bit) of the segment")
            log.disk.flipBit(bit, of: file)
            if bit / 8 < end {
                try demand(found.faulty != nil, "bit \(bit) of the segment is not noticed")
                counts.faulty += 1
            } else {
                try demandAll(found, "bit \(bit) behind the log")
                try demand(found.cut != nil, "bit \(bit) behind the log is not noticed")
                counts.cut += 1
            }
        }
        let recordBits = (log.disk.contents(of: FileName.persist)?.count ?? 0) * 8
        for bit in stride(from: 0, to: recordBits, by: recordStride) {
            log.disk.flipBit(bit, of: FileName.persist)
            let found = try inspect("bit \(bit) of the persist records")
            log.disk.flipBit(bit, of: FileName.persist)
            try demandAll(found, "bit \(bit) of the persist records")
            try demand(found.damagedCopies == 1, "bit \(bit) of the records is not noticed")
            counts.healed += 1
        }
        return counts
    }

    /// Zeroes each sector by itself, and from each entry on all that follows.
    private func runZeros(end: Int) throws -> Int {
        let whole = log.disk.contents(of: file) ?? []
        let sectors = (end + SimulatedDisk.sectorSize - 1) / SimulatedDisk.sectorSize
        for sector in 0..<sectors {
            log.disk.zeroSector(sector, of: file)
            let found = try inspect("sector \(sector) of zeros")
            try demand(found.faulty != nil, "sector \(sector) of zeros is not noticed")
            log.disk.replace(file, with: whole)
        }
        var index = log.catalogue.lastIndex
        while let place = log.catalogue.place(of: index), index > LogIndex(1) {
            let zeros = [UInt8](repeating: 0, count: whole.count - place.offset)
            log.disk.replace(file, with: whole[..<place.offset] + zeros)
            let found = try inspect("zeros from entry \(index) on")
            try demand(found.faulty != nil, "zeros from entry \(index) on are not noticed")
            index = index.previous
        }
        log.disk.replace(file, with: whole)
        return sectors
    }

    private func runLengths(end: Int) throws -> Int {
        let whole = log.disk.contents(of: file) ?? []
        for length in 0...whole.count {
            log.disk.replace(file, with: Array(whole[..<length]))
            let found = try inspect("length \(length)")
            if length < end {
                try demand(found.faulty != nil, "length \(length) is not noticed")
            } else {
                try demandAll(found, "length \(length)")
            }
        }
        log.disk.replace(file, with: whole)
        return whole.count + 1
    }

    private func inspect(_ context: String) throws -> Recovered {
        do { return try LogDirectory.inspect(disk: log.disk) } catch {
            throw Violation("\(context): \(error)")
        }
    }

    private func demandAll(_ found: Recovered, _ context: String) throws {
        try demand(
            found.faulty == nil && found.catalogue == log.catalogue,
            "\(context): the log ends at \(found.catalogue.lastIndex)")
    }

    private func demand(_ condition: Bool, _ text: @autoclosure () -> String) throws {
        if !condition { throw Violation(text()) }
    }
}
