import Bytes

/// One parsed JSON text (RFC 8259) as a flat list of nodes that point into its bytes.
///
/// Nodes stand in document order: a container, then its children, each with all of its own. In an
/// object each member is a name, which is a string node, and right behind it the value. A document
/// is reused: once its list has grown, parsing allocates nothing. Accessors take the bytes that
/// were parsed; with other bytes they return nonsense or trap.
package struct JSONDocument: Sendable {
    /// Arrays and objects inside each other; one more is malformed.
    package static let nestingLimit = 64

    package internal(set) var nodes: [JSONNode] = []
    /// Names of the wide objects that are open, gathered to look for repetitions.
    var names: [UInt32] = []

    package init() {}

    /// The outermost value. Nodes exist after a parse that did not throw, and only then.
    package var root: Int { 0 }

    package subscript(node: Int) -> JSONNode { nodes[node] }

    package func kind(_ node: Int) -> JSONKind { nodes[node].kind }

    /// The first element of an array or the first name of an object; nil when it has none.
    package func firstChild(of container: Int) -> Int? {
        nodes[container].count == 0 ? nil : container + 1
    }

    /// The element behind `node` in `container`; in an object the name behind the value `node`.
    package func next(after node: Int, in container: Int) -> Int? {
        let following = Int(nodes[node].next)
        return following < Int(nodes[container].next) ? following : nil
    }

    /// The value that belongs to the name `name`.
    package func value(of name: Int) -> Int { name + 1 }

    /// The name behind that of `name` in the same object.
    package func nextName(after name: Int, in object: Int) -> Int? {
        next(after: name + 1, in: object)
    }

    /// The value of the member called `name`, compared unescaped; nil when there is none.
    package func member(_ name: StaticString, of object: Int, in bytes: Span<UInt8>) -> Int? {
        guard nodes[object].kind == .object else { return nil }
        var candidate = firstChild(of: object)
        while let current = candidate {
            if equals(current, name, in: bytes) { return value(of: current) }
            candidate = nextName(after: current, in: object)
        }
        return nil
    }

    /// Whether the string `node`, unescaped, is `text`.
    package func equals(_ node: Int, _ text: StaticString, in bytes: Span<UInt8>) -> Bool {
        precondition(text.hasPointerRepresentation, "a character is no name")
        let expected = unsafe Span<UInt8>(
            _unsafeElements: UnsafeBufferPointer(
                start: text.utf8Start, count: text.utf8CodeUnitCount))
        return equals(node, expected, in: bytes)
    }

    /// Whether the string `node`, unescaped, is `text`.
    package func equals(_ node: Int, _ text: Span<UInt8>, in bytes: Span<UInt8>) -> Bool {
        let string = nodes[node]
        guard string.kind == .string else { return false }
        if !string.hasEscapes { return bytes.equals(text, in: string.content) }
        var cursor = UnescapingCursor(string.content)
        for offset in 0..<text.count where cursor.next(in: bytes) != text[offset] { return false }
        return cursor.next(in: bytes) == nil
    }

    /// The value of `true` or `false`; nil for other kinds.
    package func boolean(_ node: Int) -> Bool? {
        switch nodes[node].kind {
        case .true: true
        case .false: false
        default: nil
        }
    }

    /// The value of a number without fraction and exponent; nil for others and past 64 bits.
    package func integer(_ node: Int, from bytes: Span<UInt8>) -> Int64? {
        let number = nodes[node]
        guard number.kind == .number else { return nil }
        var offset = Int(number.start)
        let isNegative = bytes[offset] == UInt8(ascii: "-")
        if isNegative { offset += 1 }
        var value: Int64 = 0
        while offset < Int(number.end) {
            let digit = Int64(bytes[offset]) - 48
            guard digit >= 0, digit <= 9 else { return nil }
            let (tenfold, isPast) = value.multipliedReportingOverflow(by: 10)
            let (sum, isPastToo) = tenfold.addingReportingOverflow(isNegative ? -digit : digit)
            guard !isPast, !isPastToo else { return nil }
            value = sum
            offset += 1
        }
        return value
    }

    /// Appends the unescaped text of the string `node`.
    package func appendUnescaped(
        _ node: Int, from bytes: Span<UInt8>, to text: inout [UInt8]
    ) {
        let string = nodes[node]
        precondition(string.kind == .string, "a \(string.kind) has no text")
        guard string.hasEscapes else { return text.append(bytes.extracting(string.content)) }
        var cursor = UnescapingCursor(string.content)
        while let byte = cursor.next(in: bytes) { text.append(byte) }
    }

    /// The unescaped text of the string `node`; nil for other kinds.
    package func string(_ node: Int, from bytes: Span<UInt8>) -> String? {
        guard nodes[node].kind == .string else { return nil }
        var text: [UInt8] = []
        appendUnescaped(node, from: bytes, to: &text)
        return String(decoding: text, as: UTF8.self)
    }
}
