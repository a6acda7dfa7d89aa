import Bytes
import JSON

/// Looking for text in notes.
enum AlertNotes {
    /// Whether the JSON in `range`, or one of its strings without their escapes, has the text.
    static func contain(_ folded: [UInt8], _ range: Range<Int>, _ bytes: Span<UInt8>) -> Bool {
        if AlertText.find(folded, in: range, bytes) { return true }
        guard range.contains(where: { bytes[$0] == UInt8(ascii: "\\") }) else { return false }
        let notes = bytes.copy(range)
        var document = JSONDocument()
        do { try document.parse(notes.span) } catch { return false }
        for node in document.nodes.indices where document[node].hasEscapes {
            guard document.kind(node) == .string else { continue }
            var text: [UInt8] = []
            document.appendUnescaped(node, from: notes.span, to: &text)
            if AlertText.find(folded, in: 0..<text.count, text.span) { return true }
        }
        return false
    }
}
