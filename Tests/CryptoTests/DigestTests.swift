import Bytes
import Testing

@testable import Crypto

@Suite struct DigestTests {
    /// FIPS 180-4 examples.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func `published vectors of SHA-256 come out`(text: String, expected: String) {
        #expect(Hex.encode(SHA256().hash(Array(text.utf8))) == expected)
    }

    @Test func `a million times a, in parts of every size`() {
        let expected = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        let text = [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000)
        let hash = SHA256()
        #expect(Hex.encode(hash.hash(text)) == expected)
        hash.begin()
        var offset = 0
        var size = 1
        while offset < text.count {
            let end = min(offset + size, text.count)
            hash.update(text.span, in: offset..<end)
            (offset, size) = (end, size % 131 + 1)
        }
        #expect(Hex.encode(hash.finish()) == expected)
    }

    @Test func `beginning again drops what was hashed before`() {
        let hash = SHA256()
        let expected = hash.hash([1, 2, 3])
        hash.begin()
        hash.update([9, 9, 9])
        #expect(hash.hash([1, 2, 3]) == expected)
    }

    @Test func `a digest is written where it was asked for, and nowhere else`() {
        let hash = SHA256()
        var buffer = [UInt8](repeating: 7, count: 40)
        hash.begin()
        hash.finish(into: &buffer, at: 5)
        #expect(Array(buffer[5..<37]) == hash.hash([]))
        #expect(buffer[..<5].allSatisfy { $0 == 7 } && buffer[37...].allSatisfy { $0 == 7 })
    }
}

@Suite struct KeyStreamTests {
    /// AES-256 of the counters 0, 1 and 2 under the key of zeros; the last two are the tag of test
    /// case 13 and the ciphertext of test case 14 of the GCM specification (McGrew, Viega 2005).
    @Test func `the stream is AES-256 in counter mode from zero`() {
        let stream = KeyStream(key: [UInt8](repeating: 0, count: 32))
        var output = [UInt8](repeating: 0, count: 48)
        stream.fill(&output, at: 0, count: 48)
        #expect(
            Hex.encode(output) == "dc95c078a2408989ad48a21492842087"
                + "530f8afbc74536b9a963b4f1c4cb738b" + "cea7403d4d606b6e074ec5d3baf39d18")
    }

    @Test func `equal keys give equal bytes, other keys others`() {
        func first(_ byte: UInt8) -> [UInt8] {
            var output = [UInt8](repeating: 0, count: 16)
            KeyStream(key: [UInt8](repeating: byte, count: 32)).fill(&output, at: 0, count: 16)
            return output
        }
        #expect(first(1) == first(1))
        #expect(first(1) != first(2))
    }

    @Test func `no sixteen bytes come twice, across blocks too`() {
        let stream = KeyStream(key: Array(0..<32))
        var seen: Set<[UInt8]> = []
        var output = [UInt8](repeating: 0, count: 18)
        for _ in 0..<2_000 {
            stream.fill(&output, at: 1, count: 16)
            #expect(output[0] == 0 && output[17] == 0)
            #expect(seen.insert(Array(output[1..<17])).inserted)
        }
    }
}

@Suite struct RandomBytesTests {
    @Test func `random bytes have the length asked for and do not repeat`() {
        #expect(RandomBytes.make(count: 0).isEmpty)
        #expect(RandomBytes.make(count: 33).count == 33)
        #expect(RandomBytes.make(count: 32) != RandomBytes.make(count: 32))
        #expect(RandomBytes.makeSeed() != RandomBytes.makeSeed())
    }

    @Test func `comparison in constant time compares every byte and the length`() {
        let bytes: [UInt8] = Array(0..<32)
        #expect(ConstantTime.equal(bytes, bytes))
        #expect(ConstantTime.equal([], []))
        #expect(!ConstantTime.equal(bytes, Array(bytes[..<31])))
        for offset in bytes.indices {
            var other = bytes
            other[offset] ^= 0x80
            #expect(!ConstantTime.equal(bytes, other))
        }
    }
}
