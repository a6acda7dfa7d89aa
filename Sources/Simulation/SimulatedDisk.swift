package import Bytes
package import SegmentLog

/// A directory of files in memory, with what a crash can do to it.
///
/// Each file has what is read (the page cache) and what is durable; sectors that differ are known.
/// An operation that returns is durable, as the seam demands. One that is interrupted has reached
/// the page cache, and after a loss of power any subset of its sectors, its change of size or none,
/// its change of name or none.
package final class SimulatedDisk: Disk {
    package static let sectorSize = 512
    /// What every operation says after the crash; no errno.
    package static let crashedCode: Int32 = -1

    /// What a planned fault does to the operation it meets.
    package enum Fault: Equatable, Sendable {
        /// The machine stops inside it.
        case crash
        /// It fails; writes stay readable and are not durable (EIO).
        case inputOutputError
        /// It fails and has done nothing (ENOSPC).
        case noSpace
    }

    private var state = SimulatedDiskState()
    private var fault: (operation: Int, kind: Fault)?
    private var postponesNext = false
    /// Bytes in all files together; beyond it operations fail with ENOSPC. nil: no bound.
    package var capacity: Int?
    /// Every read of this file fails with EIO.
    package var unreadableFile: String?
    /// How often each file was read, while that is counted (not nil).
    package var readCounts: [String: Int]?
    /// Operations so far that change something. Reads do not count.
    package private(set) var operationCount = 0
    package private(set) var hasCrashed = false
    /// The operation that a planned fault met, for messages.
    package private(set) var interrupted = ""

    /// `capacity`: bytes in all files together; beyond it operations fail with ENOSPC.
    package init(capacity: Int? = nil) { self.capacity = capacity }

    /// Another disk with the same contents, durable and cached, and no plans.
    package init(copying other: SimulatedDisk) {
        state = other.state
        interrupted = other.interrupted
        capacity = other.capacity
    }

    // MARK: - Faults

    /// Plans `kind` for an operation, counted from 0 since this disk was made.
    package func plan(_ kind: Fault, at operation: Int) { fault = (operation, kind) }

    /// Plans `kind` for the next operation that changes something.
    package func failNext(_ kind: Fault) { plan(kind, at: operationCount) }

    /// The next operation returns while it is under way, as one that another thread does: it is
    /// durable after `settlePostponed`.
    package func postponeNext() { postponesNext = true }

    /// What was postponed is finished.
    package func settlePostponed() {
        if !hasCrashed { state.settlePostponed() }
    }

    /// Goes on after the process was killed: the page cache is as it was.
    package func restart() {
        hasCrashed = false
        postponesNext = false
    }

    /// Goes on after a loss of power: of what was not durable, any part remains.
    package func restartAfterPowerLoss(_ random: inout RandomSource) {
        state.losePower(&random)
        restart()
    }

    package func flipBit(_ bit: Int, of name: String) {
        state.damage(name) { $0[bit / 8] ^= 1 << UInt8(bit % 8) }
    }

    package func zeroSector(_ sector: Int, of name: String) {
        state.damage(name) { bytes in
            let begin = sector * Self.sectorSize
            for offset in begin..<min(begin + Self.sectorSize, bytes.count) { bytes[offset] = 0 }
        }
    }

    /// Puts `bytes` over what is there, durably; no further than the file reaches.
    package func overwrite(_ bytes: [UInt8], of name: String, at offset: Int) {
        state.damage(name) { file in
            let end = min(file.count, offset + bytes.count)
            guard offset < end else { return }
            file.replaceSubrange(offset..<end, with: bytes.prefix(end - offset))
        }
    }

    /// Unlinks a file behind everybody's back, durably.
    package func lose(_ name: String) { state.lose(name) }

    /// Bytes of all files.
    package var usedByteCount: Int { state.byteCount }

    /// Everything is again as it was on `earlier`, durable and cached.
    package func rollBack(to earlier: SimulatedDisk) {
        state = earlier.state
        restart()
    }

    /// Replaces a file's contents, durably; makes the file when there is none.
    package func replace(_ name: String, with bytes: [UInt8]) {
        state.replace(name, with: bytes)
    }

    /// What a reader sees of the file; nil when there is none.
    package func contents(of name: String) -> [UInt8]? { state.cached(name) }

    /// The names of all files, sorted, whatever the disk's state.
    package var names: [String] { state.names }

    /// A number for the durable contents: names, sizes and bytes.
    package var durableFingerprint: UInt64 { state.durableFingerprint }

    // MARK: - Disk

    package func list() throws(DiskError) -> [String] {
        try demandRunning("list", "")
        return state.names
    }

    package func byteCount(of name: String) throws(DiskError) -> Int? {
        try demandRunning("stat", name)
        return state.cached(name)?.count
    }

    package func read(
        _ name: String, at offset: Int, count: Int
    ) throws(DiskError) -> [UInt8] {
        try demandRunning("read", name)
        guard let bytes = state.cached(name) else { throw missing("read", name) }
        guard name != unreadableFile else {
            throw DiskError(operation: "read", file: name, code: 5)
        }
        readCounts?[name, default: 0] += 1
        guard offset < bytes.count else { return [] }
        return Array(bytes[offset..<min(bytes.count, offset + count)])
    }

    package func create(_ name: String, byteCount: Int) throws(DiskError) {
        try demandRunning("create", name)
        guard state.cached(name) == nil else {
            throw DiskError(operation: "create", file: name, code: DiskError.exists)
        }
        try perform("create", name, growth: byteCount) { $0.create(name, byteCount: byteCount) }
    }

    package func write(
        _ parts: [[UInt8]], to name: String, at offset: Int
    ) throws(DiskError) {
        let size = try existingByteCount("write", name)
        let end = parts.reduce(offset) { $0 + $1.count }
        try perform("write", name, growth: max(0, end - size)) {
            $0.write(parts, to: name, at: offset)
        }
    }

    package func resize(_ name: String, byteCount: Int) throws(DiskError) {
        let size = try existingByteCount("resize", name)
        try perform("resize", name, growth: max(0, byteCount - size)) {
            $0.resize(name, byteCount: byteCount)
        }
    }

    package func rename(_ name: String, to newName: String) throws(DiskError) {
        _ = try existingByteCount("rename", name)
        try perform("rename", name, growth: 0) { $0.rename(name, to: newName) }
    }

    package func remove(_ names: [String]) throws(DiskError) {
        guard let last = names.last else { return }
        for name in names { _ = try existingByteCount("remove", name) }
        try perform("remove", last, growth: 0) { $0.remove(names) }
    }

    // MARK: - One operation

    /// Counts the operation, meets the fault planned for it, or does it and makes it durable.
    private func perform(
        _ operation: String, _ name: String, growth: Int,
        _ change: (inout SimulatedDiskState) -> Void
    ) throws(DiskError) {
        let number = operationCount
        operationCount += 1
        if let fault, fault.operation == number {
            self.fault = nil
            interrupted = "\(operation) of \(name)"
            if fault.kind != .noSpace { change(&state) }
            switch fault.kind {
            case .crash:
                hasCrashed = true
                throw DiskError(operation: operation, file: name, code: Self.crashedCode)
            case .inputOutputError:
                throw DiskError(operation: operation, file: name, code: 5)
            case .noSpace:
                throw DiskError(operation: operation, file: name, code: DiskError.noSpace)
            }
        }
        if let capacity, growth > 0, state.byteCount + growth > capacity {
            throw DiskError(operation: operation, file: name, code: DiskError.noSpace)
        }
        change(&state)
        if postponesNext { state.postpone() } else { state.settle() }
        postponesNext = false
    }

    private func existingByteCount(
        _ operation: String, _ name: String
    ) throws(DiskError) -> Int {
        try demandRunning(operation, name)
        guard let bytes = state.cached(name) else { throw missing(operation, name) }
        return bytes.count
    }

    private func demandRunning(_ operation: String, _ name: String) throws(DiskError) {
        guard !hasCrashed else {
            throw DiskError(operation: operation, file: name, code: Self.crashedCode)
        }
    }

    private func missing(_ operation: String, _ name: String) -> DiskError {
        DiskError(operation: operation, file: name, code: 2)
    }
}
