import Linux
import SegmentLog
import Testing

struct DirectoryDiskTests {
    @Test func `a created file is all zeros, of its size, and really on the disk`() throws {
        let directory = try TemporaryDirectory("disk")
        let disk = try DirectoryDisk(path: directory.path)
        let byteCount = 2_097_152 + 5
        try disk.create("b", byteCount: byteCount)
        try disk.create("a", byteCount: 0)
        #expect(try disk.list() == ["a", "b"])
        #expect(try disk.byteCount(of: "a") == 0)
        #expect(try disk.byteCount(of: "b") == byteCount)
        #expect(try disk.byteCount(of: "c") == nil)
        let bytes = try disk.read("b", at: 0, count: byteCount + 10)
        #expect(bytes.count == byteCount)
        #expect(bytes.allSatisfy { $0 == 0 })
        #expect(directory.allocatedByteCount(of: "b") >= byteCount)
    }

    @Test func `a gathered write lands in one piece and another instance reads it`() throws {
        let directory = try TemporaryDirectory("disk")
        let disk = try DirectoryDisk(path: directory.path)
        try disk.create("s", byteCount: 100)
        try disk.write([[1, 2], [], [3], [4, 5, 6]], to: "s", at: 10)
        try disk.write([], to: "s", at: 50)
        try disk.write([[]], to: "s", at: 50)
        let reader = try DirectoryDisk(path: directory.path)
        #expect(try reader.read("s", at: 9, count: 8) == [0, 1, 2, 3, 4, 5, 6, 0])
        #expect(try reader.byteCount(of: "s") == 100)
        #expect(try reader.read("s", at: 98, count: 5) == [0, 0])
        #expect(try reader.read("s", at: 100, count: 5) == [])
        #expect(try reader.read("s", at: 1_000, count: 5) == [])
    }

    @Test func `more parts than one call takes are written in order`() throws {
        let directory = try TemporaryDirectory("disk")
        let disk = try DirectoryDisk(path: directory.path)
        try disk.create("s", byteCount: 0)
        let parts = (0..<3_000).map { [UInt8]($0 % 7 == 0 ? [] : [UInt8($0 % 251), 255]) }
        try disk.write(parts, to: "s", at: 3)
        let flat = parts.flatMap { $0 }
        #expect(try disk.read("s", at: 3, count: 10_000) == flat)
        #expect(try disk.byteCount(of: "s") == 3 + flat.count)
    }

    @Test func `a file is cut and extended with zeros`() throws {
        let directory = try TemporaryDirectory("disk")
        let disk = try DirectoryDisk(path: directory.path)
        try disk.create("s", byteCount: 10)
        try disk.write([[1, 2, 3, 4]], to: "s", at: 0)
        try disk.resize("s", byteCount: 2)
        #expect(try disk.byteCount(of: "s") == 2)
        try disk.resize("s", byteCount: 4)
        #expect(try disk.read("s", at: 0, count: 9) == [1, 2, 0, 0])
    }

    @Test func `a rename replaces, and nobody reads the old file by the new name`() throws {
        let directory = try TemporaryDirectory("disk")
        let (writer, reader) = try (
            DirectoryDisk(path: directory.path), DirectoryDisk(path: directory.path)
        )
        for (name, byte) in [("a", UInt8(1)), ("b", 2)] {
            try writer.create(name, byteCount: 1)
            try writer.write([[byte]], to: name, at: 0)
        }
        #expect(try reader.read("b", at: 0, count: 1) == [2])
        try writer.rename("a", to: "b")
        #expect(try writer.list() == ["b"])
        #expect(try writer.read("b", at: 0, count: 1) == [1])
        #expect(try reader.read("b", at: 0, count: 1) == [1])
        try writer.remove("b")
        let error = #expect(throws: DiskError.self) { try reader.read("b", at: 0, count: 1) }
        #expect(error == DiskError(operation: "read", file: "b", code: 2))
        try writer.create("b", byteCount: 1)
        #expect(try reader.read("b", at: 0, count: 1) == [0])
    }

    @Test func `what is missing or taken is an error with operation, file and code`() throws {
        let directory = try TemporaryDirectory("disk")
        let disk = try DirectoryDisk(path: directory.path)
        try disk.create("s", byteCount: 3)
        #expect(throws: DiskError(operation: "create", file: "s", code: 17)) {
            try disk.create("s", byteCount: 1)
        }
        #expect(try disk.byteCount(of: "s") == 3)
        #expect(throws: DiskError(operation: "write", file: "n", code: 2)) {
            try disk.write([[1]], to: "n", at: 0)
        }
        #expect(throws: DiskError(operation: "resize", file: "n", code: 2)) {
            try disk.resize("n", byteCount: 1)
        }
        #expect(throws: DiskError(operation: "rename", file: "n", code: 2)) {
            try disk.rename("n", to: "m")
        }
        #expect(throws: DiskError(operation: "remove", file: "n", code: 2)) {
            try disk.remove("n")
        }
        #expect(throws: SystemError.self) { try DirectoryDisk(path: directory.file("none")) }
    }

    @Test func `a write that the kernel refuses is reported, the second one too`() throws {
        let disk = try DirectoryDisk(path: "/dev")
        // A device that is always full, behind the same calls as a file.
        for _ in 0..<2 {
            #expect(throws: DiskError(operation: "write", file: "full", code: 28)) {
                try disk.write([[1]], to: "full", at: 0)
            }
        }
    }

    @Test func `more files than stay open are all still readable`() throws {
        let directory = try TemporaryDirectory("disk")
        let disk = try DirectoryDisk(path: directory.path)
        let names = (0..<(DirectoryDisk.openFileLimit + 10)).map { "f\($0)" }
        for (number, name) in names.enumerated() {
            try disk.create(name, byteCount: 1)
            try disk.write([[UInt8(number)]], to: name, at: 0)
        }
        for (number, name) in names.enumerated() {
            #expect(try disk.read(name, at: 0, count: 1) == [UInt8(number)])
        }
        #expect(directory.openDescriptorCount() == DirectoryDisk.openFileLimit + 1)
        disk.closeFiles()
        #expect(try disk.read("f0", at: 0, count: 1) == [0])
    }

    @Test func `directories are not listed and free space is known`() throws {
        let directory = try TemporaryDirectory("disk")
        let disk = try DirectoryDisk(path: directory.path)
        try SmallFile.createDirectory(directory.file("below"))
        #expect(try disk.list() == [])
        #expect(try disk.freeByteCount() > 0)
    }

    @Test(arguments: ["", ".", "..", "a/b", "../a"])
    func `a name that leaves the directory ends the process`(name: String) async {
        // Exit tests capture nothing that is not listed, hence the loop inside.
        await #expect(processExitsWith: .failure) { [name] in
            _ = try DirectoryDisk(path: "/tmp").byteCount(of: name)
        }
    }
}
