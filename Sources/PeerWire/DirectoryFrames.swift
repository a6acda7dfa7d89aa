package import Bytes
package import Ledger
package import Records

/// A change of the directory on its way to those who follow it: the version after it (8), the time of
/// its entry (8), the change.
extension AppliedChange {
    package init(_ payload: Range<Int>, _ bytes: Span<UInt8>) throws(ByteDefect) {
        var cursor = ByteCursor(payload)
        let version: UInt64 = try cursor.integer(bytes)
        let time = Timestamp(microseconds: try cursor.integer(bytes))
        let change = try DirectoryCommand.Change(&cursor, bytes)
        try cursor.finish()
        self.init(version: version, time: time, change: change)
    }

    package func append(to payload: inout [UInt8]) {
        payload.append(littleEndian: version)
        payload.append(littleEndian: time.microseconds)
        change.append(to: &payload)
    }
}

/// Uses of sessions that a gateway wants recorded. Nothing answers it but the directory.
package enum SessionUsesFrame {
    package static func uses(
        _ payload: Range<Int>, _ bytes: Span<UInt8>
    ) throws(ByteDefect) -> [SessionUse] {
        var cursor = ByteCursor(payload)
        let uses = try SessionUses.read(&cursor, bytes)
        try cursor.finish()
        return uses
    }
}
