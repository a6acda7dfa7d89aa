import Glibc
import Testing

/// The files in Scenarios/. `UPDATE_SCENARIOS=1` writes the outputs as they are now into them:
/// read the difference, and commit only what you can explain.
struct ScenarioTests {
    @Test(arguments: ScenarioFiles.names())
    func `every scenario happens as it is written`(name: String) throws {
        let text = try ScenarioFiles.read(name)
        var scenario = Scenario()
        let now = scenario.run(text)
        #expect(scenario.failures == [])
        #expect(!now.contains("no such command"))
        if now != text, ScenarioFiles.isUpdating { try ScenarioFiles.write(name, now) }
        #expect(now == text || ScenarioFiles.isUpdating, "\(name)")
    }

    @Test func `there are scenarios`() { #expect(ScenarioFiles.names().count >= 10) }
}

/// The folder of scenarios in the source tree.
enum ScenarioFiles {
    struct Failure: Error { let path: String }

    static var isUpdating: Bool { unsafe getenv("UPDATE_SCENARIOS") != nil }

    private static var folder: String {
        let parts = #filePath.split(separator: "/").dropLast()
        return "/" + parts.joined(separator: "/") + "/Scenarios"
    }

    static func names() -> [String] {
        guard let directory = unsafe opendir(folder) else { return [] }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
                    unsafe String(cString: $0)
                }
            }
            if name.hasSuffix(".txt") { names.append(name) }
        }
        return names.sorted()
    }

    static func read(_ name: String) throws -> String {
        let path = folder + "/" + name
        guard let file = unsafe fopen(path, "r") else { throw Failure(path: path) }
        defer { unsafe fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = unsafe fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    static func write(_ name: String, _ text: String) throws {
        let path = folder + "/" + name
        guard let file = unsafe fopen(path, "w") else { throw Failure(path: path) }
        defer { unsafe fclose(file) }
        let bytes = Array(text.utf8)
        guard unsafe fwrite(bytes, 1, bytes.count, file) == bytes.count else {
            throw Failure(path: path)
        }
    }
}
