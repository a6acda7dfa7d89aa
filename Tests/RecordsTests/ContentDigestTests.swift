import Testing

@testable import Records

/// What "the same content" means (http-contract, section 3).
@Suite struct ContentDigestTests {
    private func notes(_ text: String) throws -> [UInt8] {
        var event = TestEvent()
        event.notes = text
        return try event.digest
    }

    @Test(arguments: [
        ("[1,2]", " [ 1 ,\t2\r\n] "),
        ("[{\"a\":1,\"b\":2}]", "[{\"b\":2,\"a\":1}]"),
        ("[{\"a\":{\"x\":[],\"y\":null}}]", "[ {\"a\" : {\"y\":null, \"x\":[ ]} } ]"),
        ("[\"A/\\n\"]", "[\"\\u0041\\/\\u000A\"]"),
        ("[\"😀\"]", "[\"\\ud83d\\ude00\"]"),
    ])
    func `white space, member order and escapes do not count`(
        left: String, right: String
    ) throws {
        #expect(try notes(left) == notes(right))
    }

    @Test(arguments: [
        ("[1]", "[1.0]"), ("[1]", "[1e0]"), ("[10]", "[1e1]"), ("[0]", "[-0]"), ("[1,2]", "[2,1]"),
        ("[1]", "[\"1\"]"), ("[null]", "[]"), ("[]", "[[]]"), ("[{}]", "[[]]"),
        ("[\"a\"]", "[\"A\"]"), ("[\"a b\"]", "[\"a  b\"]"), ("[true]", "[false]"),
        ("[1.10]", "[1.1]"), ("[9007199254740993]", "[9007199254740992]"),
    ])
    func `the digits of numbers, order of elements and types count`(
        left: String, right: String
    ) throws {
        #expect(try notes(left) != notes(right))
    }

    @Test func `each of the eight parameters counts, its absence too`() throws {
        let changes: [(inout TestEvent) -> Void] = [
            { _ in }, { $0.uniqueID = "b" }, { $0.scriptName = "b" }, { $0.hostName = "b" },
            { $0.fileName = "b" }, { $0.startTime = "11/24/2026 03:11:25 pm" },
            { $0.stopTime = $0.startTime }, { $0.notes = "[]" }, { $0.updatedIn = "b" },
            { $0.updatedIn = "c" }, { $0.notes = "[0]" },
        ]
        var seen: [[UInt8]] = []
        for change in changes {
            var event = TestEvent()
            change(&event)
            let digest = try event.digest
            #expect(!seen.contains(digest))
            seen.append(digest)
        }
    }

    @Test func `where one parameter ends and the next begins counts`() throws {
        var left = TestEvent()
        (left.scriptName, left.hostName) = ("ab", "c")
        var right = TestEvent()
        (right.scriptName, right.hostName) = ("a", "bc")
        #expect(try left.digest != right.digest)
    }

    @Test func `token, application, revision and salt do not count`() throws {
        let first = try TestEvent().record()
        let second = try TestEvent().record(
            revision: Revision(9), salt: Array(16...31), application: "planoorder",
            writtenBy: "ffffffffffffffff")
        let range = RecordLayout.digestOffset..<RecordLayout.saltOffset
        #expect(first[range] == second[range])
        #expect(first != second)
    }
}
