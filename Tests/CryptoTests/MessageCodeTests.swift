import Bytes
import Testing

@testable import Crypto

@Suite struct MessageCodeTests {
    /// RFC 4231 sections 4.2, 4.3, 4.7 (a key longer than a block) and 4.8.
    @Test(arguments: [
        (
            String(repeating: "0b", count: 20), Hex.encode(Array("Hi There".utf8)),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Hex.encode(Array("Jefe".utf8)),
            Hex.encode(Array("what do ya want for nothing?".utf8)),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            String(repeating: "aa", count: 131),
            Hex.encode(Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8)),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
    ])
    func `published vectors of HMAC come out`(
        key: String, message: String, expected: String
    ) throws {
        let code = MessageCode(key: try #require(Hex.decode(key)))
        let bytes = try #require(Hex.decode(message))
        // Twice: nothing of a code is left in the next.
        for _ in 0..<2 {
            #expect("\(code.code(of: bytes.span, in: 0..<bytes.count))" == expected)
        }
    }
}
