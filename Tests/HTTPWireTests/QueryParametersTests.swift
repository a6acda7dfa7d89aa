import Bytes
import Testing

@testable import HTTPWire

@Suite struct QueryParametersTests {
    private func read(_ query: String) throws(QueryDefect) -> [String] {
        var parameters = QueryParameters()
        let bytes = Array(query.utf8)
        try parameters.parse(bytes.span, in: 0..<bytes.count)
        let text = { (range: Range<Int>) in
            String(decoding: parameters.text[range], as: UTF8.self)
        }
        return parameters.parameters.map { "\(text($0.name))=\(text($0.value))" }
    }

    private func defect(_ query: String) -> QueryDefect? {
        do throws(QueryDefect) {
            _ = try read(query)
            return nil
        } catch {
            return error
        }
    }

    @Test(
        arguments: [
            ("", []), ("a=b", ["a=b"]), ("a=b&c=d", ["a=b", "c=d"]), ("a", ["a="]), ("a=", ["a="]),
            ("=b", ["=b"]), ("a=b=c", ["a=b=c"]), ("&&a=b&", ["a=b"]), ("a=b+c", ["a=b c"]),
            ("a%3db=%26%2B%25", ["a=b=&+%"]), ("n=%C3%a9%F0%9F%98%80", ["n=é😀"]), ("a=é", ["a=é"]),
            ("a=?/:@", ["a=?/:@"]), ("a=%00", ["a=\u{0}"]), ("page.size=5", ["page.size=5"]),
        ] as [(String, [String])])
    func `a query is split and decoded`(query: String, expected: [String]) throws {
        #expect(try read(query) == expected)
    }

    @Test(
        arguments: [
            ("a=%", .percent(offset: 2)), ("a=%4", .percent(offset: 2)),
            ("%g0=", .percent(offset: 0)),
            ("a=%4&b=41", .percent(offset: 2)), ("a=b&c=%zz", .percent(offset: 6)),
            ("a=%+1", .percent(offset: 2)), ("a=%C3", .invalidUTF8(offset: 2)),
            ("%ff=1", .invalidUTF8(offset: 0)), ("a=%ED%A0%80", .invalidUTF8(offset: 2)),
            ("a=%C3&b=%A9", .invalidUTF8(offset: 2)), ("a=1&b=2&a=3", .repeatedName(offset: 8)),
            ("a=1&%61=1", .repeatedName(offset: 4)), ("=1&=2", .repeatedName(offset: 3)),
        ] as [(String, QueryDefect)])
    func `a malformed query is refused with its place`(query: String, expected: QueryDefect) {
        #expect(defect(query) == expected)
    }

    @Test func `a hundred parameters are read and one more is not`() {
        let names = (0..<101).map { "p\($0)=1" }
        #expect(defect(names[..<100].joined(separator: "&")) == nil)
        #expect(defect(names.joined(separator: "&")) == .tooMany)
    }

    @Test func `a parameter is found by its whole name in the given range`() throws {
        var parameters = QueryParameters()
        let bytes = Array("/p?ab=1&a=2#".utf8)
        try parameters.parse(bytes.span, in: 3..<(bytes.count - 1))
        let found = parameters.value("a").map { Array(parameters.text[$0]) }
        #expect(found == Array("2".utf8))
        #expect(parameters.value("b") == nil)
        try parameters.parse(bytes.span, in: 0..<0)
        #expect(parameters.value("a") == nil)
    }
}
