import Bytes
import Records
import SegmentLog
import Simulation
import Testing

struct DirectoryTests {
    @Test func `a new directory is an empty log that knows whose it is`() throws {
        let disk = SimulatedDisk()
        try LogDirectory.initialize(disk: disk, identity: testIdentity)
        let found = try LogDirectory.recover(disk: disk, clusterID: testCluster)
        #expect(found.identity == testIdentity)
        #expect(found.catalogue.isEmpty)
        #expect(found.vote == DurableVote(term: .zero, votedFor: nil))
        #expect(found.cut == nil)
    }

    @Test func `an empty or a foreign directory is refused`() throws {
        #expect(failure(of: SimulatedDisk()) == .notInitialized)
        let disk = SimulatedDisk()
        try LogDirectory.initialize(disk: disk, identity: testIdentity)
        let other = Identifier(high: 1, low: 1)
        #expect(throws: RecoveryFailure.foreign(expected: other, found: testCluster)) {
            try LogDirectory.recover(disk: disk, clusterID: other)
        }
    }

    @Test func `every flipped bit and every other length of the identity is damage`() throws {
        let log = try TestLog()
        let whole = try #require(log.disk.contents(of: "identity"))
        for bit in 0..<(whole.count * 8) {
            log.disk.flipBit(bit, of: "identity")
            #expect(corruptFile(of: log.disk) == "identity", "bit \(bit)")
            log.disk.flipBit(bit, of: "identity")
        }
        for length in 0..<whole.count {
            log.disk.replace("identity", with: Array(whole[..<length]))
            #expect(corruptFile(of: log.disk) == "identity", "length \(length)")
        }
        log.disk.replace("identity", with: whole + [0])
        #expect(corruptFile(of: log.disk) == "identity")
    }

    @Test func `initializing may be cut anywhere and done again`() throws {
        var operation = 0
        while true {
            let disk = SimulatedDisk()
            disk.plan(.crash, at: operation)
            do {
                try LogDirectory.initialize(disk: disk, identity: testIdentity)
                break
            } catch { #expect(error.code == SimulatedDisk.crashedCode) }
            for seed in UInt64(0)..<8 {
                let copy = SimulatedDisk(copying: disk)
                var random = RandomSource(seed: seed)
                copy.restartAfterPowerLoss(&random)
                if try copy.byteCount(of: "identity") == nil {
                    try LogDirectory.initialize(disk: copy, identity: testIdentity)
                }
                #expect(try TestLog(recovering: copy).entries.isEmpty)
            }
            operation += 1
        }
        #expect(operation == 9)
    }

    @Test func `a directory that holds a log, or a vote, is not initialized again`() throws {
        var log = try TestLog()
        try log.append([10])
        let empty = try TestLog()
        #expect(throws: DiskError(operation: "initialize", file: "identity", code: 17)) {
            try LogDirectory.initialize(disk: empty.disk, identity: testIdentity)
        }
        try log.disk.remove("identity")
        #expect(
            throws: DiskError(
                operation: "initialize", file: "00000000000000000001.segment", code: 17)
        ) { try LogDirectory.initialize(disk: log.disk, identity: testIdentity) }
        try log.store(DurableVote(term: Term(1), votedFor: nil))
        try log.disk.remove("00000000000000000001.segment")
        #expect(throws: DiskError(operation: "initialize", file: "vote", code: 17)) {
            try LogDirectory.initialize(disk: log.disk, identity: testIdentity)
        }
    }

    @Test func `either copy of the vote may be lost, not both`() throws {
        var log = try TestLog()
        try log.store(DurableVote(term: Term(5), votedFor: NodeID(2)))
        for bit in 0..<(64 * 8) {
            for copy in 0..<2 {
                let disk = SimulatedDisk(copying: log.disk)
                disk.flipBit(copy * 4_096 * 8 + bit, of: "vote")
                let found = try LogDirectory.recover(disk: disk, settings: testSettings)
                #expect(found.vote == log.vote, "bit \(bit) of copy \(copy)")
                #expect(disk.contents(of: "vote") == log.disk.contents(of: "vote"))
            }
        }
        log.disk.zeroSector(0, of: "vote")
        log.disk.zeroSector(8, of: "vote")
        #expect(failure(of: log.disk) == .corrupt(file: "vote", offset: 0, defect: .vote))
        try log.disk.remove("vote")
        #expect(failure(of: log.disk) == .corrupt(file: "vote", offset: 0, defect: .missing))
    }

    @Test func `a vote that is older than the log is damage`() throws {
        var log = try TestLog()
        let old = try #require(log.disk.contents(of: "vote"))
        try log.store(DurableVote(term: Term(5), votedFor: NodeID(2)))
        try log.append([10])
        log.disk.replace("vote", with: old)
        #expect(
            failure(of: log.disk)
                == .corrupt(
                    file: "vote", offset: 0,
                    defect: .voteBehindLog(stored: .zero, log: Term(5))))
    }

    @Test func `missing persist records are damage`() throws {
        let log = try TestLog()
        try log.disk.remove("persist")
        #expect(
            failure(of: log.disk) == .corrupt(file: "persist", offset: 0, defect: .missing))
    }

    @Test func `a log opens on a full disk, and grows again when there is room`() throws {
        var log = try TestLog()
        try log.append([100])
        let name = "00000000000000000001.segment"
        let bytes = try #require(log.disk.contents(of: name))
        let used = try log.disk.list().reduce(0) {
            $0 + (log.disk.contents(of: $1)?.count ?? 0)
        }
        let full = SimulatedDisk(capacity: used - bytes.count + 300)
        for file in try log.disk.list() {
            full.replace(file, with: log.disk.contents(of: file) ?? [])
        }
        full.replace(name, with: Array(bytes[..<300]))
        var found = try TestLog(recovering: full)
        #expect(found.entries == log.entries)
        #expect(throws: DiskError(operation: "write", file: name, code: 28)) {
            try found.append([2_000])
        }
    }

    @Test func `a file that cannot be read stops the start, as what it is`() throws {
        var log = try TestLog()
        try log.append([10, nil, 20])
        for name in try log.disk.list() {
            let disk = SimulatedDisk(copying: log.disk)
            disk.unreadableFile = name
            #expect(
                failure(of: disk) == .disk(DiskError(operation: "read", file: name, code: 5)))
        }
    }
}
