import Bytes

/// Why a query string holds no parameters. Offsets count in the bytes that were read.
package enum QueryDefect: Error, Equatable, Sendable {
    /// A percent sign without two hexadecimal digits behind it.
    case percent(offset: Int)
    /// The decoded name or value of the parameter that begins here is no UTF-8.
    case invalidUTF8(offset: Int)
    case repeatedName(offset: Int)
    case tooMany
}

/// The parameters of a query string (`a=b&c=d`), decoded; a plus sign is a space.
package struct QueryParameters: Sendable {
    /// Parameters of one query. More is a defect.
    package static let countLimit = 100

    package struct Parameter: Equatable, Sendable {
        /// Ranges of `text`.
        package let name: Range<Int>
        package let value: Range<Int>
    }

    package private(set) var parameters: [Parameter] = []
    /// The decoded bytes that the ranges point into.
    package private(set) var text: [UInt8] = []

    package init() {}

    /// Reads the query in `range`, without its question mark. Empty parameters (`a=b&&c=d`) are
    /// skipped, one without an equals sign has an empty value.
    package mutating func parse(
        _ bytes: Span<UInt8>, in range: Range<Int>
    ) throws(QueryDefect) {
        parameters.removeAll(keepingCapacity: true)
        text.removeAll(keepingCapacity: true)
        var start = range.lowerBound
        while start < range.upperBound {
            var end = start
            while end < range.upperBound, bytes[end] != UInt8(ascii: "&") { end += 1 }
            if end > start { try add(bytes, start..<end) }
            start = end + 1
        }
    }

    /// The value of the parameter called `name`.
    package func value(_ name: StaticString) -> Range<Int>? {
        for parameter in parameters
        where HTTPCharacters.equals(text.span, parameter.name, name) {
            return parameter.value
        }
        return nil
    }

    private mutating func add(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(QueryDefect) {
        guard parameters.count < Self.countLimit else { throw .tooMany }
        var separator = range.lowerBound
        while separator < range.upperBound, bytes[separator] != UInt8(ascii: "=") {
            separator += 1
        }
        let name = try decode(bytes, range.lowerBound..<separator)
        let valueStart = min(separator + 1, range.upperBound)
        let value = try decode(bytes, valueStart..<range.upperBound)
        for parameter in parameters
        where text.span.equals(text.span.extracting(name), in: parameter.name) {
            throw .repeatedName(offset: range.lowerBound)
        }
        parameters.append(Parameter(name: name, value: value))
    }

    private mutating func decode(
        _ bytes: Span<UInt8>, _ range: Range<Int>
    ) throws(QueryDefect) -> Range<Int> {
        let start = text.count
        var offset = range.lowerBound
        while offset < range.upperBound {
            switch bytes[offset] {
            case UInt8(ascii: "+"):
                text.append(0x20)
            case UInt8(ascii: "%"):
                guard offset + 2 < range.upperBound,
                    let high = HTTPCharacters.hexValue(bytes[offset + 1]),
                    let low = HTTPCharacters.hexValue(bytes[offset + 2])
                else { throw .percent(offset: offset) }
                text.append(high << 4 | low)
                offset += 2
            default:
                text.append(bytes[offset])
            }
            offset += 1
        }
        guard UTF8Validation.firstDefect(text.span, in: start..<text.count) == nil else {
            throw .invalidUTF8(offset: range.lowerBound)
        }
        return start..<text.count
    }
}
