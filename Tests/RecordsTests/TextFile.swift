import Glibc
import Testing

/// A file of this target's folder, read without Foundation.
enum TextFile {
    static func read(_ name: String, file: String = #filePath) throws -> [UInt8] {
        let folder = file[...(try #require(file.lastIndex(of: "/")))]
        let descriptor = unsafe open(folder + name, O_RDONLY)
        try #require(descriptor >= 0, "\(name) cannot be read")
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe Glibc.read(descriptor, &chunk, chunk.count)
            guard count > 0 else { return bytes }
            bytes.append(contentsOf: chunk[..<count])
        }
    }
}
