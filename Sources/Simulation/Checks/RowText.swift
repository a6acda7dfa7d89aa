import Bytes

/// Bytes as rows show them.
enum RowText {
    static func hexadecimal(_ bytes: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        Hex.append(bytes.span, to: &text)
        return text
    }
}
