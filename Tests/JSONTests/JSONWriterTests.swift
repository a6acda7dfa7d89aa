import Bytes
import Testing

@testable import JSON

@Suite struct JSONWriterTests {
    private func written(_ write: (inout [UInt8]) -> Void) -> String {
        var output: [UInt8] = []
        write(&output)
        return String(decoding: output, as: UTF8.self)
    }

    @Test(arguments: [
        "", "plain", "a\"b", "\\", "\n", "\u{0}\u{1f}", "é€😀", "12345678\"", "1234567é\n", "\u{7f}",
    ])
    func `a written string is read back`(text: String) throws {
        let json = written { JSONWriter.append(text, to: &$0) }
        #expect(try Parsed(json).string(0) == text)
        #expect(canonical(json) == json)
        let padded = Array(("x" + text + "x").utf8)
        let again = written {
            JSONWriter.append(padded.span, in: 1..<(padded.count - 1), to: &$0)
        }
        #expect(again == json)
    }

    @Test(arguments: [0, 1, -1, 9, 10, 99, 100, Int64.max, Int64.min])
    func `numbers are written in full`(number: Int64) {
        #expect(written { JSONWriter.append(number, to: &$0) } == String(number))
    }

    @Test func `the largest unsigned number is written in full`() {
        #expect(written { JSONWriter.append(UInt64.max, to: &$0) } == String(UInt64.max))
    }

    @Test func `objects and arrays keep their commas`() {
        let json = written { output in
            var object = JSONObjectWriter(to: &output)
            object.member("text", "a\nb", to: &output)
            object.member("number", Int64(-5), to: &output)
            object.member("count", UInt64(5), to: &output)
            object.member("flag", true, to: &output)
            object.name("list", to: &output)
            var array = JSONArrayWriter(to: &output)
            array.element(to: &output)
            JSONWriter.appendNull(to: &output)
            array.element(to: &output)
            JSONWriter.appendRaw(Array("x{}x".utf8).span, in: 1..<3, to: &output)
            array.close(to: &output)
            object.name("a\"b", to: &output)
            JSONObjectWriter(to: &output).close(to: &output)
            object.close(to: &output)
        }
        #expect(
            json == "{\"text\":\"a\\u000ab\",\"number\":-5,\"count\":5,\"flag\":true,"
                + "\"list\":[null,{}],\"a\\\"b\":{}}")
    }
}
