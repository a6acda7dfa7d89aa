import Bytes
import Testing

@Suite struct LittleEndianTests {
    @Test func `integers are written lowest byte first and read back at any offset`() {
        var bytes: [UInt8] = [0xAA]
        bytes.append(littleEndian: UInt16(0x0102))
        bytes.append(littleEndian: UInt32(0x0304_0506))
        bytes.append(littleEndian: UInt64(0x0708_090A_0B0C_0D0E))
        bytes.append(littleEndian: Int64(-2))
        #expect(
            bytes == [
                0xAA, 0x02, 0x01, 0x06, 0x05, 0x04, 0x03, 0x0E, 0x0D, 0x0C, 0x0B, 0x0A, 0x09, 0x08,
                0x07, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
            ])
        let short = bytes.span.littleEndian(UInt16.self, at: 1)
        let word = bytes.span.littleEndian(UInt32.self, at: 3)
        let long = bytes.span.littleEndian(UInt64.self, at: 7)
        let signed = bytes.span.littleEndian(Int64.self, at: 15)
        #expect(short == 0x0102 && word == 0x0304_0506)
        #expect(long == 0x0708_090A_0B0C_0D0E && signed == -2)
    }

    @Test func `integers and bytes are overwritten in place`() {
        var bytes = [UInt8](repeating: 0, count: 8)
        bytes.put(littleEndian: UInt32(0xAABB_CCDD), at: 3)
        #expect(bytes == [0, 0, 0, 0xDD, 0xCC, 0xBB, 0xAA, 0])
        bytes.put([1, 2], at: 6)
        bytes.put([], at: 8)
        #expect(bytes == [0, 0, 0, 0xDD, 0xCC, 0xBB, 1, 2])
    }

    @Test func `ranges are copied and compared as they are`() {
        let bytes: [UInt8] = [1, 2, 3, 4]
        let other: [UInt8] = [2, 3]
        let copies = [bytes.span.copy(1..<3), bytes.span.copy(4..<4), bytes.span.copy(0..<4)]
        #expect(copies == [[2, 3], [], [1, 2, 3, 4]])
        let results = [
            bytes.span.equals(other.span, in: 1..<3), bytes.span.equals(other.span, in: 2..<4),
            bytes.span.equals(other.span, in: 1..<4), bytes.span.equals(other.span, in: 1..<1),
        ]
        #expect(results == [true, false, false, false])
        var appended: [UInt8] = [9]
        appended.append(bytes.span)
        #expect(appended == [9, 1, 2, 3, 4])
    }

    @Test func `reading past the end stops the process`() async {
        await #expect(processExitsWith: .failure) {
            let bytes: [UInt8] = [1, 2, 3]
            _ = bytes.span.littleEndian(UInt32.self, at: 0)
        }
        await #expect(processExitsWith: .failure) {
            let bytes: [UInt8] = [1, 2, 3]
            _ = bytes.span.littleEndian(UInt16.self, at: -1)
        }
        await #expect(processExitsWith: .failure) {
            var bytes: [UInt8] = [1, 2, 3]
            bytes.put([1, 2], at: 2)
        }
    }
}
