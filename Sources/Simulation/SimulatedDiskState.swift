import BugZoo
import Bytes

/// The contents of a simulated disk: what is read, what is durable, and what the operation under
/// way would make durable.
struct SimulatedDiskState {
    fileprivate struct File {
        var cached: [UInt8]
        var durable: [UInt8]
        /// Sectors whose cached bytes a sync has not covered.
        var unsynced: Set<Int> = []
        /// The last change of size is not durable.
        var hasUnsyncedSize = false
        /// The smallest size since a size was durable: a cut is not undone by growing again.
        var smallestSize = Int.max
    }

    /// What `settle` makes durable: exactly what the last operation answers for, and no more.
    private enum Pending {
        case directory(file: Int?)
        case sectors(file: Int, Range<Int>)
        case size(file: Int)
    }

    private var files: [Int: File] = [:]
    private var nextFile = 0
    private var cachedNames: [String: Int] = [:]
    /// Earlier states of the directory, the durable one first; empty when all is durable.
    private var earlierNames: [[String: Int]] = []
    private var pending: [Pending] = []
    /// The same of operations that go on while others are done.
    private var postponed: [Pending] = []

    var names: [String] { cachedNames.keys.sorted() }
    var byteCount: Int { cachedNames.values.reduce(0) { $0 + (files[$1]?.cached.count ?? 0) } }

    func cached(_ name: String) -> [UInt8]? { cachedNames[name].flatMap { files[$0]?.cached } }

    // MARK: - Changes of the page cache

    mutating func create(_ name: String, byteCount: Int) {
        earlierNames.append(cachedNames)
        cachedNames[name] = nextFile
        files[nextFile] = File(
            cached: [UInt8](repeating: 0, count: byteCount), durable: [],
            hasUnsyncedSize: byteCount > 0)
        pending = [.size(file: nextFile), .directory(file: nextFile)]
        nextFile += 1
    }

    mutating func write(_ parts: [[UInt8]], to name: String, at offset: Int) {
        var bytes: [UInt8] = []
        for part in parts { bytes.append(contentsOf: part) }
        guard !bytes.isEmpty else { return }
        let end = offset + bytes.count
        let sectors = Self.sectors(offset..<end)
        change(name) { file in
            if file.cached.count < end {
                file.cached.append(
                    contentsOf: [UInt8](repeating: 0, count: end - file.cached.count))
                file.hasUnsyncedSize = true
            }
            file.cached.replaceSubrange(offset..<end, with: bytes)
            for sector in sectors { file.unsynced.insert(sector) }
        }
        pending = cachedNames[name].map { [.sectors(file: $0, sectors)] } ?? []
    }

    mutating func resize(_ name: String, byteCount: Int) {
        change(name) { file in
            let size = file.cached.count
            guard byteCount != size else { return }
            file.smallestSize = min(file.smallestSize, byteCount)
            if byteCount < size {
                file.cached.removeSubrange(byteCount...)
            } else {
                file.cached.append(contentsOf: [UInt8](repeating: 0, count: byteCount - size))
            }
            file.hasUnsyncedSize = true
        }
        pending = cachedNames[name].map { [.size(file: $0)] } ?? []
    }

    mutating func rename(_ name: String, to newName: String) {
        earlierNames.append(cachedNames)
        cachedNames[newName] = cachedNames.removeValue(forKey: name)
        pending = [.directory(file: nil)]
    }

    mutating func remove(_ names: [String]) {
        for name in names {
            earlierNames.append(cachedNames)
            cachedNames[name] = nil
        }
        pending = [.directory(file: nil)]
    }

    // MARK: - Durability

    /// The operation returned: what it promised is durable.
    mutating func settle() {
        for step in pending {
            switch step {
            case .directory(file: _):
                if PlantedBug.directoryNotSynced.isPlanted { continue }
                earlierNames = []
                let kept = Set(cachedNames.values)
                files = files.filter { kept.contains($0.key) }
            case .size(let file):
                files[file]?.settleSize()
            case .sectors(let file, let sectors):
                if PlantedBug.writeNotSynced.isPlanted { continue }
                files[file]?.settle(sectors)
            }
        }
        pending = []
    }

    mutating func postpone() {
        postponed += pending
        pending = []
    }

    mutating func settlePostponed() {
        pending = postponed
        postponed = []
        settle()
    }

    /// Of what is not durable, any part stays.
    mutating func losePower(_ random: inout RandomSource) {
        if !earlierNames.isEmpty {
            let kept = random.below(earlierNames.count + 1)
            if kept < earlierNames.count { cachedNames = earlierNames[kept] }
        }
        earlierNames = []
        let named = Set(cachedNames.values)
        for number in files.keys.sorted() {
            if named.contains(number) {
                files[number]?.losePower(&random)
            } else {
                files[number] = nil
            }
        }
        pending = []
        postponed = []
    }

    /// Changes bytes behind everybody's back, as read and as durable.
    mutating func damage(_ name: String, _ change: (inout [UInt8]) -> Void) {
        self.change(name) { file in
            change(&file.cached)
            file.durable = file.cached
        }
    }

    mutating func lose(_ name: String) {
        cachedNames[name] = nil
        for place in earlierNames.indices { earlierNames[place][name] = nil }
    }

    mutating func replace(_ name: String, with bytes: [UInt8]) {
        if cachedNames[name] == nil {
            cachedNames[name] = nextFile
            nextFile += 1
        }
        guard let number = cachedNames[name] else { return }
        files[number] = File(cached: bytes, durable: bytes)
    }

    /// Checksums of names, sizes and contents, folded into one number.
    var durableFingerprint: UInt64 {
        var random = RandomSource(seed: 0)
        let names = earlierNames.first ?? cachedNames
        for name in names.keys.sorted() {
            guard let file = names[name].flatMap({ files[$0] }) else { continue }
            let nameChecksum = CRC32C.checksum(Array(name.utf8).span)
            let checksum = CRC32C.checksum(file.durable.span, continuing: nameChecksum)
            random = RandomSource(
                seed: random.next() ^ UInt64(checksum) << 32 ^ UInt64(file.durable.count))
        }
        return random.next()
    }

    private mutating func change(_ name: String, _ body: (inout File) -> Void) {
        guard let number = cachedNames[name], var file = files[number] else {
            preconditionFailure("no file \(name)")
        }
        files[number] = nil
        body(&file)
        files[number] = file
    }

    static func sectors(_ range: Range<Int>) -> Range<Int> {
        range.lowerBound / SimulatedDisk.sectorSize..<(range.upperBound - 1)
            / SimulatedDisk.sectorSize + 1
    }
}

fileprivate extension SimulatedDiskState.File {
    mutating func settleSize() {
        setDurableSize(min(smallestSize, durable.count))
        setDurableSize(cached.count)
        hasUnsyncedSize = false
        smallestSize = .max
    }

    /// Makes the sectors durable, and as much of the size as reaching them needs.
    mutating func settle(_ sectors: Range<Int>) {
        let end = min(cached.count, sectors.upperBound * SimulatedDisk.sectorSize)
        if durable.count < end { setDurableSize(end) }
        for sector in sectors {
            keep(sector)
            unsynced.remove(sector)
        }
        if durable.count == cached.count { hasUnsyncedSize = false }
    }

    mutating func losePower(_ random: inout RandomSource) {
        if hasUnsyncedSize {
            let low = min(durable.count, cached.count)
            let high = max(durable.count, cached.count)
            switch random.below(4) {
            case 0: break
            case 1: settleSize()
            default:
                // A size that grows does so in steps; one that shrinks does at once.
                let middle = low + random.below(high - low + 1)
                setDurableSize(durable.count < cached.count ? middle : cached.count)
            }
        }
        // All, none, or each by chance, so that the extremes are not rare in long writes.
        let manner = random.below(6)
        for sector in unsynced.sorted() {
            if manner == 0 || (manner > 1 && random.below(2) == 0) { keep(sector) }
        }
        cached = durable
        unsynced = []
        hasUnsyncedSize = false
        smallestSize = .max
    }

    /// Copies the sector from the cache, as far as both sizes reach.
    private mutating func keep(_ sector: Int) {
        let begin = sector * SimulatedDisk.sectorSize
        let end = min(begin + SimulatedDisk.sectorSize, cached.count, durable.count)
        guard begin < end else { return }
        durable.replaceSubrange(begin..<end, with: cached[begin..<end])
    }

    private mutating func setDurableSize(_ size: Int) {
        if size < durable.count {
            durable.removeSubrange(size...)
        } else {
            durable.append(contentsOf: [UInt8](repeating: 0, count: size - durable.count))
        }
    }
}
