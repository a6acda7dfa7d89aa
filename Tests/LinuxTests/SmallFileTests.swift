import Linux
import Testing

struct SmallFileTests {
    @Test func `what is written durably is read back, and replaced as a whole`() throws {
        let directory = try TemporaryDirectory("file")
        let path = directory.file("secret")
        try SmallFile.writeDurably(path, [1, 2, 3])
        try SmallFile.writeDurably(path, [])
        #expect(try SmallFile.read(path, limit: 10) == [])
        try SmallFile.writeDurably(path, [4, 5])
        #expect(try SmallFile.read(path, limit: 2) == [4, 5])
        #expect(try SmallFile.mode(of: path) == 0o600)
        #expect(try DirectoryDisk(path: directory.path).list() == ["secret"])
    }

    @Test func `a file beyond the limit is refused`() throws {
        let directory = try TemporaryDirectory("file")
        let path = directory.file("large")
        try SmallFile.writeDurably(path, [UInt8](repeating: 1, count: 200_000))
        #expect(try SmallFile.read(path, limit: 200_000).count == 200_000)
        let error = #expect(throws: SystemError.self) {
            try SmallFile.read(path, limit: 199_999)
        }
        #expect(error?.name == "EFBIG")
    }

    @Test func `rewriting a secret never widens who may read it`() throws {
        let directory = try TemporaryDirectory("file")
        let path = directory.file("secret")
        try SmallFile.writeDurably(path, [1], mode: 0o600)
        let error = #expect(throws: SystemError.self) {
            try SmallFile.writeDurably(path, [2], mode: 0o644)
        }
        #expect(error?.name == "EPERM")
        #expect(try SmallFile.read(path, limit: 10) == [1])
        #expect(try SmallFile.mode(of: path) == 0o600)
        try SmallFile.writeDurably(path, [3], mode: 0o400)
        #expect(try SmallFile.mode(of: path) == 0o400)
    }

    @Test func `a file in a directory that is not there is refused`() throws {
        let directory = try TemporaryDirectory("file")
        let error = #expect(throws: SystemError.self) {
            try SmallFile.writeDurably(directory.file("none/file"), [1])
        }
        #expect(error?.isAbsent == true)
        #expect(throws: SystemError.self) { try SmallFile.read(directory.file("none"), limit: 1) }
        #expect(!SmallFile.exists(directory.file("none")))
    }

    @Test func `a directory is made with its parents, and may exist already`() throws {
        let directory = try TemporaryDirectory("file")
        let path = directory.file("a/b/c")
        try SmallFile.createDirectory(path)
        try SmallFile.createDirectory(path)
        #expect(try SmallFile.mode(of: path) == 0o700)
        try SmallFile.writeDurably(directory.file("plain"), [1])
        #expect(throws: SystemError.self) {
            try SmallFile.createDirectory(directory.file("plain"))
        }
        #expect(throws: SystemError.self) {
            try SmallFile.createDirectory(directory.file("plain/below"))
        }
    }

    @Test func `a lock is held by one at a time and let go with its descriptor`() throws {
        let directory = try TemporaryDirectory("file")
        let path = directory.file("lock")
        do {
            let held = try SmallFile.lock(path)
            let error = #expect(throws: SystemError.self) { _ = try SmallFile.lock(path) }
            #expect(error?.isInUse == true)
            try held.close()
        }
        try SmallFile.lock(path).close()
    }

    @Test(arguments: [
        ("a", "."), ("a/b", "a"), ("/a", "/"), ("/", "/"), ("/a/b/", "/a"), ("a/", "."),
    ])
    func `the parent of a path is the directory that holds it`(path: String, parent: String) {
        #expect(SmallFile.parent(of: path) == parent)
    }
}
