import Bytes
import SegmentLog
import Simulation
import Testing

struct SimulatedDiskTests {
    /// The contents that hundred losses of power leave, after one operation was interrupted.
    private func outcomes(
        of operation: (SimulatedDisk) throws -> Void
    ) throws -> Set<[String: [UInt8]]> {
        var outcomes: Set<[String: [UInt8]]> = []
        for seed in UInt64(0)..<100 {
            let disk = SimulatedDisk()
            try disk.create("a", byteCount: 1_024)
            disk.failNext(.crash)
            #expect(throws: DiskError.self) { try operation(disk) }
            #expect(throws: DiskError.self) { try disk.list() }
            var random = RandomSource(seed: seed)
            disk.restartAfterPowerLoss(&random)
            var contents: [String: [UInt8]] = [:]
            for name in try disk.list() { contents[name] = disk.contents(of: name) }
            outcomes.insert(contents)
        }
        return outcomes
    }

    @Test func `any subset of the sectors of an interrupted write stays`() throws {
        let old = [UInt8](repeating: 0, count: 512)
        let new = [UInt8](repeating: 7, count: 512)
        let found = try outcomes { try $0.write([new, new], to: "a", at: 0) }
        #expect(
            found == [
                ["a": old + old], ["a": old + new], ["a": new + old], ["a": new + new],
            ])
    }

    @Test func `an interrupted change of names happened or not`() throws {
        let zeros = [UInt8](repeating: 0, count: 1_024)
        #expect(try outcomes { try $0.rename("a", to: "b") } == [["a": zeros], ["b": zeros]])
        #expect(try outcomes { try $0.remove("a") } == [["a": zeros], [:]])
        let created = try outcomes { try $0.create("b", byteCount: 2) }
        #expect(created.contains(["a": zeros]))
        #expect(created.contains(["a": zeros, "b": [0, 0]]))
        #expect(created.contains(["a": zeros, "b": []]))
    }

    @Test func `an interrupted cut happened or not, growth may stop between`() throws {
        let cut = try outcomes { try $0.resize("a", byteCount: 10) }
        #expect(Set(cut.compactMap { $0["a"]?.count }) == [10, 1_024])
        let grown = try outcomes { try $0.resize("a", byteCount: 5_000) }
        let sizes = Set(grown.compactMap { $0["a"]?.count })
        #expect(sizes.contains(1_024) && sizes.contains(5_000) && sizes.count > 10)
    }

    @Test func `what returned is durable`() throws {
        let disk = SimulatedDisk()
        try disk.create("a", byteCount: 600)
        try disk.write([[1, 2], [3]], to: "a", at: 599)
        try disk.rename("a", to: "b")
        try disk.resize("b", byteCount: 700)
        try disk.create("c", byteCount: 1)
        try disk.remove("c")
        let before = disk.contents(of: "b")
        for seed in UInt64(0)..<20 {
            var random = RandomSource(seed: seed)
            disk.restartAfterPowerLoss(&random)
            #expect(try disk.list() == ["b"])
            #expect(disk.contents(of: "b") == before)
        }
        #expect(before?.count == 700)
        #expect(try disk.read("b", at: 598, count: 5) == [0, 1, 2, 3, 0])
        #expect(try disk.read("b", at: 699, count: 5) == [0])
        #expect(try disk.read("b", at: 700, count: 5) == [])
    }

    @Test func `a failed sync leaves pages that are readable and not durable`() throws {
        let disk = SimulatedDisk()
        try disk.create("a", byteCount: 3)
        disk.failNext(.inputOutputError)
        #expect(throws: DiskError(operation: "write", file: "a", code: 5)) {
            try disk.write([[1, 2, 3]], to: "a", at: 0)
        }
        #expect(try disk.read("a", at: 0, count: 3) == [1, 2, 3])
        var found: Set<[UInt8]> = []
        for seed in UInt64(0)..<20 {
            let copy = SimulatedDisk(copying: disk)
            var random = RandomSource(seed: seed)
            copy.restartAfterPowerLoss(&random)
            found.insert(try copy.read("a", at: 0, count: 3))
        }
        #expect(found == [[0, 0, 0], [1, 2, 3]])
    }

    @Test func `a full disk refuses growth and changes nothing`() throws {
        let disk = SimulatedDisk(capacity: 100)
        try disk.create("a", byteCount: 90)
        let before = disk.durableFingerprint
        #expect(throws: DiskError(operation: "create", file: "b", code: 28)) {
            try disk.create("b", byteCount: 11)
        }
        #expect(throws: DiskError(operation: "write", file: "a", code: 28)) {
            try disk.write([[UInt8](repeating: 1, count: 20)], to: "a", at: 85)
        }
        #expect(throws: DiskError(operation: "resize", file: "a", code: 28)) {
            try disk.resize("a", byteCount: 101)
        }
        #expect(disk.durableFingerprint == before)
        try disk.write([[UInt8](repeating: 1, count: 20)], to: "a", at: 80)
    }

    @Test func `names that are taken or missing are refused`() throws {
        let disk = SimulatedDisk()
        try disk.create("a", byteCount: 1)
        #expect(throws: DiskError(operation: "create", file: "a", code: 17)) {
            try disk.create("a", byteCount: 1)
        }
        #expect(throws: DiskError(operation: "read", file: "b", code: 2)) {
            try disk.read("b", at: 0, count: 1)
        }
        #expect(throws: DiskError(operation: "remove", file: "b", code: 2)) {
            try disk.remove("b")
        }
        #expect(try disk.byteCount(of: "b") == nil)
    }
}
