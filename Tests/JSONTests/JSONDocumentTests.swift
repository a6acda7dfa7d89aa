import Bytes
import Testing

@testable import JSON

/// The defect of parsing `text`, or nil when it is well-formed.
func defect(_ text: String) -> JSONDefect? { defect(Array(text.utf8)) }

func defect(_ bytes: [UInt8]) -> JSONDefect? {
    var document = JSONDocument()
    do {
        try document.parse(bytes.span)
        return nil
    } catch {
        return error
    }
}

/// A well-formed text and its nodes.
struct Parsed {
    let bytes: [UInt8]
    var document = JSONDocument()

    init(_ text: String) throws {
        let bytes = Array(text.utf8)
        try document.parse(bytes.span)
        self.bytes = bytes
    }

    func member(_ name: StaticString, of object: Int) -> Int? {
        document.member(name, of: object, in: bytes.span)
    }

    func integer(_ node: Int) -> Int64? { document.integer(node, from: bytes.span) }

    func string(_ node: Int) -> String? { document.string(node, from: bytes.span) }

    func equals(_ node: Int, _ text: String) -> Bool {
        let text = Array(text.utf8)
        return document.equals(node, text.span, in: bytes.span)
    }
}

func nested(_ count: Int, opener: String, closer: String) -> String {
    String(repeating: opener, count: count) + String(repeating: closer, count: count)
}

@Suite struct JSONDocumentTests {
    static let wellFormed: [String] = [
        "{}", "[]", "\"\"", "0", "-0", "1", "-1", "10", "1234567890", "0.5", "-0.5", "1.0", "1e5",
        "1E5", "1e+5", "1e-5", "1.25e10", "0e0", "true", "false", "null", " {} ", "\t[\n]\r\n",
        "  1  ", "[1]", "[1,2]", "[ 1 , 2 ]", "[[],[]]", "[{}]", "{\"a\":1}", "{ \"a\" : 1 }",
        "{\"a\":1,\"b\":2}", "{\"\":0}", "{\"a\":{\"a\":{\"a\":1}}}", "[null,true,false]",
        "\"abc\"", "\"\\\"\"", "\"\\\\\"", "\"\\/\"", "\"\\b\\f\\n\\r\\t\"", "\"\\u0000\"",
        "\"\\u0041\"", "\"\\uABCD\"", "\"\\uabcd\"", "\"\\uD83D\\uDE00\"", "\"\\ud800\\udc00\"",
        "\"\\udbff\\udfff\"", "\"\u{7f}\"", "\"é\"", "\"€\"", "\"😀\"", "\"12345678\"",
        "\"123456789012345678901234567890\"", "\"1234567\\n\"", "\"12345678\\n9\"", "\"{}[],:\"",
        "99999999999999999999999999", "1e400", "{\"a\":1,\"A\":2}", "{\"a\":1,\"a \":2}",
        "[\"a\",\"a\"]", "[{\"a\":1},{\"a\":1}]", "{\"a\":{\"b\":1},\"b\":{\"a\":1}}",
        "\"/\"", "\"é12345678é\"",
    ]

    @Test(arguments: wellFormed)
    func `a well-formed text is read`(text: String) { #expect(defect(text) == nil) }

    static let malformed: [(String, JSONDefect.Kind, Int)] = [
        ("", .empty, 0), (" ", .unexpectedEnd, 1), ("\n\n", .unexpectedEnd, 2),
        ("{", .unexpectedEnd, 1), ("}", .unexpectedByte, 0), ("[", .unexpectedEnd, 1),
        ("]", .unexpectedByte, 0), ("[1", .unexpectedEnd, 2), ("[1,", .unexpectedEnd, 3),
        ("[1,]", .unexpectedByte, 3), ("[,1]", .unexpectedByte, 1), ("[1 2]", .unexpectedByte, 3),
        ("[1,,2]", .unexpectedByte, 3), ("[1}", .unexpectedByte, 2), ("{]", .unexpectedByte, 1),
        ("{\"a\"", .unexpectedEnd, 4), ("{\"a\":", .unexpectedEnd, 5),
        ("{\"a\":1", .unexpectedEnd, 6), ("{\"a\":1,", .unexpectedEnd, 7),
        ("{\"a\":1,}", .unexpectedByte, 7), ("{\"a\" 1}", .unexpectedByte, 5),
        ("{\"a\"::1}", .unexpectedByte, 5), ("{a:1}", .unexpectedByte, 1),
        ("{1:1}", .unexpectedByte, 1), ("{'a':1}", .unexpectedByte, 1),
        ("{\"a\"}", .unexpectedByte, 4), ("{\"a\":}", .unexpectedByte, 5),
        ("{,}", .unexpectedByte, 1), ("{null:1}", .unexpectedByte, 1),
        ("\"", .unexpectedEnd, 1), ("\"abc", .unexpectedEnd, 4), ("\"abc\\", .unexpectedEnd, 5),
        ("\"\\\"", .unexpectedEnd, 3), ("\"\\x\"", .invalidEscape, 1),
        ("\"\\'\"", .invalidEscape, 1), ("\"\\u\"", .invalidEscape, 1),
        ("\"\\u12\"", .invalidEscape, 1), ("\"\\u123G\"", .invalidEscape, 1),
        ("\"\\u123", .unexpectedEnd, 6), ("\"\\U0041\"", .invalidEscape, 1),
        ("\"\\uD800\"", .loneSurrogate, 1), ("\"\\uDC00\"", .loneSurrogate, 1),
        ("\"\\uD800x\"", .loneSurrogate, 1), ("\"\\uD800\\n\"", .loneSurrogate, 1),
        ("\"\\uD800\\uD800\"", .loneSurrogate, 1), ("\"\\uDC00\\uDC00\"", .loneSurrogate, 1),
        ("\"\\uDE00\\uD83D\"", .loneSurrogate, 1),
        ("\"\\uD800\\u0041\"", .loneSurrogate, 1), ("\"a\nb\"", .controlCharacter, 2),
        ("\"\t\"", .controlCharacter, 1), ("\"1234567\u{1f}\"", .controlCharacter, 8),
        ("\"12345678\u{0}\"", .controlCharacter, 9), ("01", .invalidNumber, 0),
        ("-01", .invalidNumber, 0), ("00", .invalidNumber, 0), ("-", .unexpectedEnd, 1),
        ("-a", .invalidNumber, 0), ("1.", .unexpectedEnd, 2), ("[1.]", .invalidNumber, 1),
        (".5", .unexpectedByte, 0), ("+1", .unexpectedByte, 0), ("1e", .unexpectedEnd, 2),
        ("1e+", .unexpectedEnd, 3), ("[1e]", .invalidNumber, 1), ("[1e+]", .invalidNumber, 1),
        ("1.5.5", .trailingBytes, 3), ("1e5e5", .trailingBytes, 3), ("0x1", .trailingBytes, 1),
        ("1_000", .trailingBytes, 1), ("NaN", .unexpectedByte, 0), ("Infinity", .unexpectedByte, 0),
        ("-Infinity", .invalidNumber, 0), ("tru", .unexpectedEnd, 3), ("trux", .unexpectedByte, 3),
        ("True", .unexpectedByte, 0), ("truetrue", .trailingBytes, 4), ("nul", .unexpectedEnd, 3),
        ("NULL", .unexpectedByte, 0), ("falsy", .unexpectedByte, 4), ("{} {}", .trailingBytes, 3),
        ("1 2", .trailingBytes, 2), ("{},", .trailingBytes, 2), ("[]]", .trailingBytes, 2),
        ("{}\u{0}", .trailingBytes, 2), ("{}//", .trailingBytes, 2), ("/**/{}", .unexpectedByte, 0),
        ("\u{feff}{}", .unexpectedByte, 0), ("\u{a0}1", .unexpectedByte, 0),
        ("\u{c}1", .unexpectedByte, 0), ("[1\u{b},2]", .unexpectedByte, 2),
        ("{\"a\":1,\"a\":2}", .repeatedName, 7), ("{\"a\":1,\"b\":2,\"a\":3}", .repeatedName, 13),
        ("{\"a\":1,\"\\u0061\":2}", .repeatedName, 7),
        ("{\"\\u0061\":1,\"a\":2}", .repeatedName, 12),
        ("{\"\":1,\"\":2}", .repeatedName, 6), ("[{\"x\":{\"a\":1,\"a\":1}}]", .repeatedName, 13),
        ("{\"\\/\":1,\"/\":2}", .repeatedName, 8),
        ("{\"\\uD83D\\uDE00\":1,\"😀\":2}", .repeatedName, 18),
    ]

    @Test(arguments: malformed)
    func `a malformed text is refused at its first wrong byte`(
        text: String, kind: JSONDefect.Kind, offset: Int
    ) { #expect(defect(text) == JSONDefect(kind, at: offset)) }

    static let brokenUTF8: [[UInt8]] = [
        [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF],
        [0xED, 0xA0, 0x80], [0xF0, 0x80, 0x80, 0x80], [0xF4, 0x90, 0x80, 0x80],
        [0xF5, 0x80, 0x80, 0x80], [0xFF], [0xC3], [0xE2, 0x82], [0xF0, 0x9F, 0x98], [0xC3, 0x28],
    ]

    @Test(arguments: brokenUTF8, [0, 3, 7, 8, 20])
    func `broken UTF-8 is refused where it begins`(broken: [UInt8], before: Int) {
        let text = [0x22] + [UInt8](repeating: 0x61, count: before) + broken + [0x22]
        #expect(defect(text) == JSONDefect(.invalidUTF8, at: before + 1))
        #expect(defect(broken)?.offset == 0)
    }

    @Test func `every byte is judged alike at every place of a string`() {
        for byte in UInt8.min...UInt8.max {
            let expected: JSONDefect.Kind? =
                switch byte {
                case 0x22: .trailingBytes
                case 0x5C: .invalidEscape
                case 0..<0x20: .controlCharacter
                case 0x80...: .invalidUTF8
                default: nil
                }
            for before in 0..<18 {
                for after in 1..<10 {
                    let head = [0x22] + [UInt8](repeating: 0x7A, count: before)
                    let text = head + [byte] + [UInt8](repeating: 0x7A, count: after) + [0x22]
                    let place = before + (byte == 0x22 ? 2 : 1)
                    let found = defect(text)
                    guard found != expected.map({ JSONDefect($0, at: place) }) else { continue }
                    Issue.record("\(byte) behind \(before): \(String(describing: found))")
                }
            }
        }
    }

    @Test func `sixty-four levels are read and sixty-five are not`() {
        #expect(defect(nested(64, opener: "[", closer: "]")) == nil)
        #expect(defect(nested(65, opener: "[", closer: "]")) == JSONDefect(.nesting, at: 64))
        let objects = nested(64, opener: "{\"a\":", closer: "}").replacing("{\"a\":}", with: "{}")
        #expect(defect(objects) == nil)
        #expect(defect("[" + objects + "]")?.kind == .nesting)
        #expect(defect(String(repeating: "[", count: 1_000_000))?.kind == .nesting)
    }

    @Test(arguments: [2, 15, 16, 17, 18, 40, 3_000], [true, false])
    func `a repeated name is found in objects of every width`(count: Int, escaped: Bool) {
        var members = (0..<count).map { "\"name\($0)\":\($0)" }
        #expect(defect("{" + members.joined(separator: ",") + "}") == nil)
        let first = count / 3
        let repeated = escaped ? "\"\\u006eame\(first)\"" : "\"name\(first)\""
        members[count - 1] = repeated + ":null"
        let text = "{" + members.joined(separator: ",") + "}"
        let expected = text.utf8.count - 1 - repeated.utf8.count - 5
        #expect(defect(text) == JSONDefect(.repeatedName, at: expected))
    }

    @Test func `of several repetitions in a wide object the first is told`() {
        let names = (0..<30).map { "n\($0)" } + ["n20", "n3", "n3"]
        let text = "{" + names.map { "\"\($0)\":0" }.joined(separator: ",") + "}"
        let prefix = names[..<30].map { "\"\($0)\":0" }.joined(separator: ",")
        #expect(defect(text) == JSONDefect(.repeatedName, at: 1 + prefix.utf8.count + 1))
    }

    @Test func `nodes are in document order with ranges, counts and successors`() throws {
        let bytes = Array(" {\"a\":[1,\"x\\n\",{}],\"b\":null} ".utf8)
        var document = JSONDocument()
        try document.parse(bytes.span)
        let kinds: [JSONKind] = [
            .object, .string, .array, .number, .string, .object, .string, .null,
        ]
        #expect(document.nodes.map(\.kind) == kinds)
        #expect(document.nodes.map(\.next) == [8, 2, 6, 4, 5, 6, 7, 8])
        #expect(document.nodes.map(\.count) == [2, 0, 3, 0, 0, 0, 0, 0])
        let raw = document.nodes.map { String(decoding: bytes[$0.range], as: UTF8.self) }
        #expect(raw[0] == "{\"a\":[1,\"x\\n\",{}],\"b\":null}")
        #expect(raw[1...] == ["\"a\"", "[1,\"x\\n\",{}]", "1", "\"x\\n\"", "{}", "\"b\"", "null"])
        #expect(document.nodes.map(\.hasEscapes).firstIndex(of: true) == 4)
        #expect(document.firstChild(of: 0) == 1)
        #expect(document.nextName(after: 1, in: 0) == 6)
        #expect(document.nextName(after: 6, in: 0) == nil)
        #expect(document.next(after: 4, in: 2) == 5)
        #expect(document.next(after: 5, in: 2) == nil)
        #expect(document.firstChild(of: 5) == nil)
    }

    @Test func `members are found by their unescaped name`() throws {
        let parsed = try Parsed("{\"\\u0061b\":1,\"b\":{\"ab\":2},\"abc\":3}")
        let found = try #require(parsed.member("ab", of: 0))
        #expect(parsed.integer(found) == 1)
        #expect(parsed.member("a", of: 0) == nil)
        #expect(parsed.member("abcd", of: 0) == nil)
        #expect(parsed.member("ab", of: found) == nil)
    }

    @Test func `a document read from a range keeps offsets of the whole`() throws {
        let bytes = Array("xx[\"a\"]yy".utf8)
        var document = JSONDocument()
        try document.parse(bytes.span, in: 2..<7)
        #expect(document[0].range == 2..<7)
        let text = document.string(1, from: bytes.span)
        #expect(text == "a")
        do throws(JSONDefect) {
            try document.parse(bytes.span, in: 2..<6)
            Issue.record("half an array was read")
        } catch {
            #expect(error == JSONDefect(.unexpectedEnd, at: 6))
        }
        #expect(document.nodes.isEmpty)
    }

    @Test(
        arguments: [
            ("0", 0), ("-0", 0), ("7", 7), ("-7", -7), ("9223372036854775807", Int64.max),
            ("-9223372036854775808", Int64.min), ("9223372036854775808", nil),
            ("-9223372036854775809", nil), ("100000000000000000000000", nil), ("1.0", nil),
            ("1e2", nil), ("\"1\"", nil), ("true", nil), ("[]", nil),
        ] as [(String, Int64?)])
    func `an integer has no fraction, no exponent and 64 bits`(text: String, value: Int64?) throws {
        #expect(try Parsed(text).integer(0) == value)
    }

    @Test(arguments: [
        ("\"\"", ""), ("\"a\\\"\\\\\\/b\"", "a\"\\/b"), ("\"\\b\\f\\n\\r\\t\"", "\u{8}\u{c}\n\r\t"),
        ("\"\\u0041\\u00e9\\u20AC\\uD83D\\uDE00!\"", "Aé€😀!"), ("\"\\u0000x\"", "\u{0}x"),
        ("\"\\udbff\\udfff\"", "\u{10FFFF}"), ("\"\\uD7FF\\uE000\"", "\u{D7FF}\u{E000}"),
    ])
    func `a string is unescaped`(text: String, expected: String) throws {
        let parsed = try Parsed(text)
        #expect(parsed.string(0) == expected)
        #expect(parsed.equals(0, expected))
        #expect(!parsed.equals(0, expected + "x"))
        #expect(expected.isEmpty || !parsed.equals(0, String(expected.unicodeScalars.dropLast())))
        #expect(parsed.document.boolean(0) == nil)
    }

    @Test func `every scalar is unescaped to its UTF-8`() throws {
        var document = JSONDocument()
        var text: [UInt8] = []
        for value in stride(from: UInt32(0), through: 0x10FFFF, by: 7) {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let escaped = String(scalar).utf16.map { unit in
                let digits = String(unit, radix: 16)
                return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }
            let bytes = Array(("\"" + escaped.joined() + "\"").utf8)
            try document.parse(bytes.span)
            text.removeAll()
            document.appendUnescaped(0, from: bytes.span, to: &text)
            guard text != Array(String(scalar).utf8) else { continue }
            Issue.record("U+\(String(value, radix: 16)): \(text)")
        }
    }

    @Test func `booleans are read as such`() throws {
        let document = try Parsed("[true,false,null]").document
        #expect([1, 2, 3].map { document.boolean($0) } == [true, false, nil])
    }

    @Test func `a used document allocates no second list`() throws {
        let bytes = Array("{\"a\":[1,2,3],\"b\":\"text\"}".utf8)
        var document = JSONDocument()
        try document.parse(bytes.span)
        let capacity = document.nodes.capacity
        for _ in 0..<100 { try document.parse(bytes.span) }
        #expect(document.nodes.capacity == capacity)
        #expect(document.nodes.count == 8)
    }
}
