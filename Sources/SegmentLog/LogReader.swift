package import Records

/// Reads entries back, verified against what the catalogue says of them. One per thread.
package struct LogReader<D: Disk> {
    private let disk: D

    package init(disk: D) { self.disk = disk }

    /// The entry at `place`. Throws when the bytes are damaged, or sound but another entry's.
    package func read(_ place: Place) throws(ReadFailure) -> Entry {
        let bytes: [UInt8]
        do {
            bytes = try disk.read(place.file, at: place.offset, count: place.byteCount)
        } catch { throw .disk(error) }
        let entry: Entry
        do {
            entry = try Entry(verifying: bytes)
        } catch {
            throw .corrupt(file: place.file, offset: place.offset, defect: .entry(error))
        }
        guard entry.header == place.header else {
            throw .corrupt(
                file: place.file, offset: place.offset,
                defect: .mismatch(
                    found: entry.header.position, expected: place.header.position))
        }
        return entry
    }
}

extension LogReader: Sendable where D: Sendable {}
