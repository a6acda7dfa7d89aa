import Bytes

extension JSONDocument {
    /// Appends the form that all texts of one value share.
    ///
    /// No white space; members in the order of their unescaped names' bytes; in strings only `"`,
    /// `\` and control characters are escaped, the latter as `\u00XX` in lower case; numbers digit
    /// for digit as sent.
    package func appendCanonical(
        _ node: Int, from bytes: Span<UInt8>, to text: inout [UInt8]
    ) {
        let value = nodes[node]
        switch value.kind {
        case .object: appendCanonicalObject(node, from: bytes, to: &text)
        case .array: appendCanonicalArray(node, from: bytes, to: &text)
        case .string where value.hasEscapes:
            text.append(UInt8(ascii: "\""))
            var cursor = UnescapingCursor(value.content)
            while let byte = cursor.next(in: bytes) { JSONWriter.appendEscaped(byte, to: &text) }
            text.append(UInt8(ascii: "\""))
        default: text.append(bytes.extracting(value.range))
        }
    }

    private func appendCanonicalArray(
        _ array: Int, from bytes: Span<UInt8>, to text: inout [UInt8]
    ) {
        text.append(UInt8(ascii: "["))
        var element = firstChild(of: array)
        while let current = element {
            appendCanonical(current, from: bytes, to: &text)
            element = next(after: current, in: array)
            if element != nil { text.append(UInt8(ascii: ",")) }
        }
        text.append(UInt8(ascii: "]"))
    }

    private func appendCanonicalObject(
        _ object: Int, from bytes: Span<UInt8>, to text: inout [UInt8]
    ) {
        text.append(UInt8(ascii: "{"))
        if isInOrder(object, bytes) {
            var name = firstChild(of: object)
            while let current = name {
                appendCanonicalMember(current, from: bytes, to: &text)
                name = nextName(after: current, in: object)
                if name != nil { text.append(UInt8(ascii: ",")) }
            }
        } else {
            var list: [UInt32] = []
            gatherNames(of: object, into: &list)
            sort(&list, bytes)
            for place in 0..<list.count {
                if place > 0 { text.append(UInt8(ascii: ",")) }
                appendCanonicalMember(Int(list[place]), from: bytes, to: &text)
            }
        }
        text.append(UInt8(ascii: "}"))
    }

    private func appendCanonicalMember(
        _ name: Int, from bytes: Span<UInt8>, to text: inout [UInt8]
    ) {
        appendCanonical(name, from: bytes, to: &text)
        text.append(UInt8(ascii: ":"))
        appendCanonical(value(of: name), from: bytes, to: &text)
    }

    private func isInOrder(_ object: Int, _ bytes: Span<UInt8>) -> Bool {
        guard var name = firstChild(of: object) else { return true }
        while let following = nextName(after: name, in: object) {
            if order(name, following, bytes) > 0 { return false }
            name = following
        }
        return true
    }
}
