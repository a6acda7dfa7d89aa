import Bytes

/// A text to be found in one of some attributes, the case of ASCII letters aside. Notes are searched
/// as the JSON text that was sent.
package struct EventSearch: Equatable, Sendable {
    package struct Attributes: OptionSet, Sendable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let uniqueID = Attributes(rawValue: 1)
        package static let scriptName = Attributes(rawValue: 2)
        package static let hostName = Attributes(rawValue: 4)
        package static let fileName = Attributes(rawValue: 8)
        package static let notes = Attributes(rawValue: 16)
        package static let updatedIn = Attributes(rawValue: 32)
        package static let all = Attributes(rawValue: 63)
    }

    /// What is looked for, in lower case. Never empty.
    package let folded: [UInt8]
    package let attributes: Attributes

    package init(term: String, in attributes: Attributes) {
        self.init(folded: term.utf8.map(Self.fold), in: attributes)
    }

    package init(folded: [UInt8], in attributes: Attributes) {
        precondition(!folded.isEmpty, "a search for nothing")
        self.folded = folded
        self.attributes = attributes
    }

    private static func fold(_ byte: UInt8) -> UInt8 {
        (65...90).contains(byte) ? byte | 0x20 : byte
    }

    func accepts(_ record: RecordView, in bytes: Span<UInt8>) -> Bool {
        isFound(.uniqueID, bytes, record.uniqueID)
            || isFound(.scriptName, bytes, record.scriptName)
            || isFound(.hostName, bytes, record.hostName)
            || isFound(.fileName, bytes, record.fileName)
            || isFound(.updatedIn, bytes, record.updatedIn)
            || isFound(.notes, bytes, record.notes)
    }

    /// Whether `value` of any of the attributes would be accepted.
    package func isFound(in value: [UInt8]) -> Bool { isFound(value.span, 0..<value.count) }

    private func isFound(
        _ attribute: Attributes, _ bytes: Span<UInt8>, _ range: Range<Int>?
    ) -> Bool {
        guard let range, attributes.contains(attribute) else { return false }
        return isFound(bytes, range)
    }

    private func isFound(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard range.count >= folded.count else { return false }
        for start in range.lowerBound...(range.upperBound - folded.count) {
            var place = 0
            while place < folded.count, Self.fold(bytes[start + place]) == folded[place] {
                place += 1
            }
            if place == folded.count { return true }
        }
        return false
    }
}
