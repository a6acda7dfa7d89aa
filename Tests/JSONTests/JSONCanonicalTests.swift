import Bytes
import Testing

@testable import JSON

/// The canonical form of `text`; nil when it is malformed.
func canonical(_ text: [UInt8]) -> [UInt8]? {
    var document = JSONDocument()
    guard (try? document.parse(text.span)) != nil else { return nil }
    var output: [UInt8] = []
    document.appendCanonical(document.root, from: text.span, to: &output)
    return output
}

func canonical(_ text: String) -> String? {
    canonical(Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) }
}

/// SplitMix64, so that a failure comes back with its seed.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

/// A random value, written with random white space and escapes; `shuffled` permutes the members.
struct RandomValue {
    indirect enum Value {
        case literal(String)
        case string([String])
        case array([Value])
        case object([(String, Value)])
    }

    static func make(_ generator: inout SeededGenerator, depth: Int = 0) -> Value {
        switch Int.random(in: 0..<(depth < 4 ? 6 : 3), using: &generator) {
        case 0:
            let literals = ["0", "-1", "1.50", "1e9", "true", "false", "null", "12345678901"]
            return .literal(literals.randomElement(using: &generator) ?? "0")
        case 1, 2: return .string(pieces(&generator))
        case 3:
            return .array(
                (0..<Int.random(in: 0..<4, using: &generator)).map { _ in
                    make(&generator, depth: depth + 1)
                })
        default:
            let count = Int.random(in: 0..<(depth == 0 ? 40 : 5), using: &generator)
            return .object(
                (0..<count).map { place in
                    let name = pieces(&generator).joined() + String(place * 7 % 41)
                    return (name, make(&generator, depth: depth + 1))
                })
        }
    }

    private static func pieces(_ generator: inout SeededGenerator) -> [String] {
        let pieces = ["a", "B", "/", "\"", "\\", "\n", "\u{1}", "é", "€", "😀", "longer text "]
        return (0..<Int.random(in: 0..<6, using: &generator)).map { _ in
            pieces.randomElement(using: &generator) ?? "a"
        }
    }

    static func write(_ value: Value, _ generator: inout SeededGenerator) -> String {
        let space = { (generator: inout SeededGenerator) in
            ["", "", "", " ", "\n\t"].randomElement(using: &generator) ?? ""
        }
        switch value {
        case .literal(let text): return space(&generator) + text + space(&generator)
        case .string(let pieces): return quoted(pieces.joined(), &generator)
        case .array(let elements):
            let written = elements.map { write($0, &generator) }
            return "[" + space(&generator) + written.joined(separator: ",") + "]"
        case .object(let members):
            let written = members.shuffled(using: &generator).map { member in
                quoted(member.0, &generator) + space(&generator) + ":" + write(member.1, &generator)
            }
            return space(&generator) + "{" + written.joined(separator: ", ") + "}"
        }
    }

    private static func quoted(_ text: String, _ generator: inout SeededGenerator) -> String {
        var output = "\""
        for unit in text.unicodeScalars {
            let mustEscape = unit.value < 0x20 || unit == "\"" || unit == "\\"
            if mustEscape || Int.random(in: 0..<8, using: &generator) == 0 {
                for half in String(unit).utf16 {
                    let digits = String(half, radix: 16, uppercase: Bool.random(using: &generator))
                    output += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                }
            } else {
                output.unicodeScalars.append(unit)
            }
        }
        return output + "\""
    }
}

@Suite struct JSONCanonicalTests {
    @Test(arguments: [
        (" { \"b\" : 1 , \"a\" : [ 1 , 2 ] } ", "{\"a\":[1,2],\"b\":1}"),
        ("[1.0,1.00,1e0,-0]", "[1.0,1.00,1e0,-0]"),
        ("\"\\u0041\\/\\n\\u001F\\\"\\\\\"", "\"A/\\u000a\\u001f\\\"\\\\\""),
        ("\"\\u007f\\u00e9\\uD83D\\uDE00\"", "\"\u{7f}é😀\""),
        ("{\"\\u0062\":1,\"a\":2,\"aa\":3,\"\":4}", "{\"\":4,\"a\":2,\"aa\":3,\"b\":1}"),
        ("{\"é\":1,\"z\":2,\"😀\":3,\"€\":4}", "{\"z\":2,\"é\":1,\"€\":4,\"😀\":3}"),
        ("[]", "[]"), ("{}", "{}"), ("null", "null"),
        ("{\"x\":{\"b\":0,\"a\":0},\"w\":0}", "{\"w\":0,\"x\":{\"a\":0,\"b\":0}}"),
    ])
    func `the canonical form is fixed`(text: String, expected: String) {
        #expect(canonical(text) == expected)
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func `however a value is written its canonical form is the same`(seed: UInt64) throws {
        var generator = SeededGenerator(state: seed)
        let value = RandomValue.make(&generator)
        let first = RandomValue.write(value, &generator)
        let form = try #require(canonical(first), "\(first)")
        #expect(canonical(RandomValue.write(value, &generator)) == form)
        #expect(canonical(form) == form)
    }

    @Test(arguments: [
        ("1", "1.0"), ("\"1\"", "1"), ("[1,2]", "[2,1]"), ("{\"a\":null}", "{}"),
        ("\"é\"", "\"e\u{301}\""), ("[]", "{}"), ("[\"a,b\"]", "[\"a\",\"b\"]"),
    ])
    func `different values have different forms`(left: String, right: String) {
        #expect(canonical(Array(left.utf8)) != canonical(Array(right.utf8)))
    }

    @Test(arguments: 0..<300 as Range<UInt64>)
    func `mutated bytes are read or refused but never trap`(seed: UInt64) {
        var generator = SeededGenerator(state: seed)
        var bytes = Array(RandomValue.write(RandomValue.make(&generator), &generator).utf8)
        let alphabet = Array("{}[]\",:\\u0d8eEtfn-+. \n".utf8) + [0, 0x80, 0xC3, 0xF0, 0xFF]
        for _ in 0..<50 {
            let byte = alphabet.randomElement(using: &generator) ?? 0
            let place = Int.random(in: 0...bytes.count, using: &generator)
            switch Int.random(in: 0..<3, using: &generator) {
            case 0 where place < bytes.count: bytes[place] = byte
            case 1 where place < bytes.count: bytes.remove(at: place)
            default: bytes.insert(byte, at: place)
            }
            if let form = canonical(bytes) {
                #expect(canonical(form) == form)
            } else {
                let offset = defect(bytes)?.offset ?? -1
                #expect((0...bytes.count).contains(offset))
            }
        }
    }
}
