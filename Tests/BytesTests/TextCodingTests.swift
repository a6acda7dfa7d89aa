import Bytes
import Testing

@Suite struct HexTests {
    @Test func `all bytes are written in lower case and read back`() {
        let bytes = Array(UInt8.min...UInt8.max)
        let text = Hex.encode(bytes)
        #expect(text.hasPrefix("000102030405060708090a0b0c0d0e0f10"))
        #expect(text.hasSuffix("fdfeff"))
        #expect(Hex.decode(text) == bytes)
        #expect(Hex.decode(text.uppercased()) == bytes)
        #expect(Hex.encode([]) == "" && Hex.decode("") == [])
    }

    @Test(arguments: ["0", "000", "0g", "g0", "/0", ":0", "@0", "`0", "0x00", "0 ", " 0", "é"])
    func `what is not hexadecimal is refused`(text: String) {
        #expect(Hex.decode(text) == nil)
    }
}

@Suite struct Base64Tests {
    /// RFC 4648 section 10.
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
    ])
    func `published vectors come out and are read with and without padding`(
        plain: String, text: String
    ) {
        let bytes = Array(plain.utf8)
        let bare = text.replacing("=", with: "")
        #expect(Base64.encode(bytes) == text)
        #expect(Base64.encode(bytes, alphabet: .urlSafe) == bare)
        #expect(Base64.decode(text) == bytes)
        #expect(Base64.decode(bare) == bytes)
    }

    @Test func `the two alphabets differ in two characters and are not mixed`() {
        let bytes: [UInt8] = [0xFB, 0xEF, 0xBE, 0xFF, 0xFF, 0xFF]
        #expect(Base64.encode(bytes) == "++++////")
        #expect(Base64.encode(bytes, alphabet: .urlSafe) == "----____")
        #expect(Base64.decode("++++////") == bytes)
        #expect(Base64.decode("----____") == bytes)
        for mixed in ["+-++", "-+--", "/_//", "+_++", "AA-/"] {
            #expect(Base64.decode(mixed) == nil, "\(mixed)")
        }
    }

    @Test func `bytes of every length are read back`() {
        for count in 0..<70 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 89 &+ 7) }
            for alphabet in [Base64.Alphabet.standard, .urlSafe] {
                #expect(Base64.decode(Base64.encode(bytes, alphabet: alphabet)) == bytes)
            }
        }
    }

    @Test(arguments: [
        "A", "AAAAA", "=", "==", "====", "A=", "A==", "A===", "AA=", "AA===", "AAA==", "AAAA=",
        "AAAA==", "AA==A", "AA==AA==", "A=AA", "AB==", "AB", "AAB=", "AAB", "Zg= =", " Zg==",
        "Zg==\n", "Zm9v\r\nYmFy", "Z*==", "Zg\u{0}=", "é", "Zm9v.", "Zm9v,", "[", "@@@@",
    ])
    func `what has no single meaning is refused`(text: String) {
        #expect(Base64.decode(text) == nil)
    }
}
