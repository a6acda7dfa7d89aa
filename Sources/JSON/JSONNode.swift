/// What a JSON value is.
package enum JSONKind: UInt8, Sendable {
    case object, array, string, number, `true`, `false`, null
}

/// One value, or one member's name, of a parsed document.
package struct JSONNode: Equatable, Sendable {
    /// Offsets of the raw text; a string's quotes included.
    package fileprivate(set) var start: UInt32
    package fileprivate(set) var end: UInt32
    /// The node behind the last one of this value.
    package fileprivate(set) var next: UInt32
    /// Elements of an array, members of an object (a member is two nodes).
    package fileprivate(set) var count: UInt32
    package let kind: JSONKind
    /// Whether a string must be unescaped before it is used.
    package let hasEscapes: Bool

    package var range: Range<Int> { Int(start)..<Int(end) }
    /// A string's text without its quotes.
    package var content: Range<Int> { (Int(start) + 1)..<(Int(end) - 1) }

    init(
        _ kind: JSONKind, start: Int, end: Int, next: Int, hasEscapes: Bool = false
    ) {
        self.start = UInt32(truncatingIfNeeded: start)
        self.end = UInt32(truncatingIfNeeded: end)
        self.next = UInt32(truncatingIfNeeded: next)
        self.count = 0
        self.kind = kind
        self.hasEscapes = hasEscapes
    }

    mutating func close(end: Int, next: Int, count: Int) {
        self.end = UInt32(truncatingIfNeeded: end)
        self.next = UInt32(truncatingIfNeeded: next)
        self.count = UInt32(truncatingIfNeeded: count)
    }
}

/// Why bytes are no JSON text, and where.
package struct JSONDefect: Error, Equatable, Sendable {
    package enum Kind: Sendable {
        /// Not one byte.
        case empty
        case unexpectedEnd
        case unexpectedByte
        /// Something other than white space behind the value.
        case trailingBytes
        case invalidUTF8
        case controlCharacter
        case invalidEscape
        case loneSurrogate
        case invalidNumber
        /// An object has two members of one name, compared unescaped.
        case repeatedName
        /// More than `JSONDocument.nestingLimit` arrays and objects inside each other.
        case nesting
    }

    package let kind: Kind
    /// Offset in the bytes that were parsed; of a repeated name, that of its second appearance.
    package let offset: Int

    init(_ kind: Kind, at offset: Int) {
        self.kind = kind
        self.offset = offset
    }
}
