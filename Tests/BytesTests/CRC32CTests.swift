import Testing

@testable import Bytes

@Suite struct CRC32CTests {
    /// RFC 3720 appendix B.4, and the check value of the catalogue of CRC parameters.
    static let vectors: [([UInt8], UInt32)] = [
        ([], 0),
        (Array("123456789".utf8), 0xE306_9283),
        ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
        ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
        (Array(0...31), 0x46DD_794E),
        (Array((0...31).reversed()), 0x113F_DB5C),
        (
            [
                0x01, 0xC0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0,
                0, 0, 0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0,
            ], 0xD996_3A56
        ),
    ]

    @Test(arguments: vectors)
    func `published vectors come out, by hardware and by table`(bytes: [UInt8], expected: UInt32) {
        let checksum = CRC32C.checksum(bytes.span)
        let portable = CRC32C.portableChecksum(bytes.span)
        #expect(checksum == expected)
        #expect(portable == expected)
    }

    /// Bit by bit, from the polynomial alone.
    private func naive(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        var remainder: UInt32 = .max
        for byte in bytes {
            remainder ^= UInt32(byte)
            for _ in 0..<8 {
                remainder = remainder >> 1 ^ (remainder & 1 == 0 ? 0 : 0x82F6_3B78)
            }
        }
        return ~remainder
    }

    @Test func `every length and alignment agrees with the definition`() {
        let bytes = (0..<200).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ 13) }
        for start in 0..<9 {
            for end in start...bytes.count {
                let expected = naive(bytes[start..<end])
                let part = bytes.span.extracting(start..<end)
                let checksum = CRC32C.checksum(part)
                let portable = CRC32C.portableChecksum(part)
                guard checksum != expected || portable != expected else { continue }
                Issue.record("\(start)..<\(end): \(checksum), \(portable), not \(expected)")
            }
        }
    }

    @Test func `a checksum is continued over any split`() {
        let bytes = (0..<300).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let whole = CRC32C.checksum(bytes.span)
        for place in 0...bytes.count {
            let head = CRC32C.checksum(bytes.span.extracting(0..<place))
            let rest = bytes.span.extracting(place..<bytes.count)
            let continued = CRC32C.checksum(rest, continuing: head)
            let portable = CRC32C.portableChecksum(rest, continuing: head)
            guard continued != whole || portable != whole else { continue }
            Issue.record("split at \(place): \(continued), \(portable), not \(whole)")
        }
    }

    @Test func `a single flipped bit is seen`() {
        var bytes = [UInt8](repeating: 0x5A, count: 64)
        let whole = CRC32C.checksum(bytes.span)
        for bit in 0..<512 {
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            let flipped = CRC32C.checksum(bytes.span)
            #expect(flipped != whole)
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
        }
    }
}
