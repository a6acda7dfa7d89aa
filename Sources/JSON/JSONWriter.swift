import Bytes

/// Appends JSON text to a buffer; strings are escaped as in the canonical form.
package enum JSONWriter {
    private static let digits: StaticString = "0123456789abcdef"

    package static func append(_ text: String, to output: inout [UInt8]) {
        let bytes = text.utf8Span.span
        append(bytes, in: 0..<bytes.count, to: &output)
    }

    /// Appends the text in `range` of `bytes`, which is well-formed UTF-8, as a string.
    package static func append(
        _ bytes: Span<UInt8>, in range: Range<Int>, to output: inout [UInt8]
    ) {
        output.append(UInt8(ascii: "\""))
        var start = range.lowerBound
        var offset = start
        while offset < range.upperBound {
            offset = JSONScanner.skipPlain(bytes, from: offset, end: range.upperBound)
            guard offset < range.upperBound else { break }
            if bytes[offset] < 0x80 {
                output.append(bytes.extracting(start..<offset))
                appendEscaped(bytes[offset], to: &output)
                start = offset + 1
            }
            offset += 1
        }
        output.append(bytes.extracting(start..<range.upperBound))
        output.append(UInt8(ascii: "\""))
    }

    package static func append(_ number: Int64, to output: inout [UInt8]) {
        if number < 0 { output.append(UInt8(ascii: "-")) }
        append(number.magnitude, to: &output)
    }

    package static func append(_ number: UInt64, to output: inout [UInt8]) {
        var divisor: UInt64 = 1
        while number / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            output.append(UInt8(truncatingIfNeeded: 48 + number / divisor % 10))
            divisor /= 10
        }
    }

    package static func append(_ boolean: Bool, to output: inout [UInt8]) {
        appendRaw(boolean ? "true" : "false", to: &output)
    }

    package static func appendNull(to output: inout [UInt8]) {
        appendRaw("null", to: &output)
    }

    /// Appends `text` as it is.
    package static func appendRaw(_ text: StaticString, to output: inout [UInt8]) {
        precondition(text.hasPointerRepresentation, "a character is no text")
        unsafe output.append(
            contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Appends the bytes in `range` as they are.
    package static func appendRaw(
        _ bytes: Span<UInt8>, in range: Range<Int>, to output: inout [UInt8]
    ) {
        output.append(bytes.extracting(range))
    }

    /// Appends one byte of a string.
    static func appendEscaped(_ byte: UInt8, to output: inout [UInt8]) {
        if byte == 0x22 || byte == 0x5C {
            output.append(0x5C)
            output.append(byte)
        } else if byte < 0x20 {
            appendRaw("\\u00", to: &output)
            unsafe output.append(digits.utf8Start[Int(byte >> 4)])
            unsafe output.append(digits.utf8Start[Int(byte & 15)])
        } else {
            output.append(byte)
        }
    }
}

/// Writes the members of one object and keeps the commas.
package struct JSONObjectWriter {
    private var isEmpty = true

    /// Begins an object.
    package init(to output: inout [UInt8]) { output.append(UInt8(ascii: "{")) }

    /// Begins a member, whose value the caller appends next. `name` needs no escapes.
    package mutating func name(_ name: StaticString, to output: inout [UInt8]) {
        comma(to: &output)
        output.append(UInt8(ascii: "\""))
        JSONWriter.appendRaw(name, to: &output)
        JSONWriter.appendRaw("\":", to: &output)
    }

    /// Begins a member, whose value the caller appends next.
    package mutating func name(_ name: String, to output: inout [UInt8]) {
        comma(to: &output)
        JSONWriter.append(name, to: &output)
        output.append(UInt8(ascii: ":"))
    }

    package mutating func member(
        _ name: StaticString, _ value: String, to output: inout [UInt8]
    ) {
        self.name(name, to: &output)
        JSONWriter.append(value, to: &output)
    }

    package mutating func member(_ name: StaticString, _ value: Int64, to output: inout [UInt8]) {
        self.name(name, to: &output)
        JSONWriter.append(value, to: &output)
    }

    package mutating func member(_ name: StaticString, _ value: UInt64, to output: inout [UInt8]) {
        self.name(name, to: &output)
        JSONWriter.append(value, to: &output)
    }

    package mutating func member(_ name: StaticString, _ value: Bool, to output: inout [UInt8]) {
        self.name(name, to: &output)
        JSONWriter.append(value, to: &output)
    }

    /// Ends the object.
    package func close(to output: inout [UInt8]) { output.append(UInt8(ascii: "}")) }

    private mutating func comma(to output: inout [UInt8]) {
        if !isEmpty { output.append(UInt8(ascii: ",")) }
        isEmpty = false
    }
}

/// Writes the elements of one array and keeps the commas.
package struct JSONArrayWriter {
    private var isEmpty = true

    /// Begins an array.
    package init(to output: inout [UInt8]) { output.append(UInt8(ascii: "[")) }

    /// Begins an element, which the caller appends next.
    package mutating func element(to output: inout [UInt8]) {
        if !isEmpty { output.append(UInt8(ascii: ",")) }
        isEmpty = false
    }

    /// Ends the array.
    package func close(to output: inout [UInt8]) { output.append(UInt8(ascii: "]")) }
}
