package import Bytes
package import Records

/// What a gateway says about mail. Nothing answers it but the directory.
package enum MailReportsFrame {
    package static func reports(
        _ payload: Range<Int>, _ bytes: Span<UInt8>
    ) throws(ByteDefect) -> [MailReport] {
        var cursor = ByteCursor(payload)
        let reports = try MailReports.read(&cursor, bytes)
        try cursor.finish()
        return reports
    }
}
