import Bytes
import HTTPWire
import JSON
import Testing

@testable import Gateway

/// The shared cases of the contract, in order, on an empty store.
@Suite struct ContractCaseTests {
    @Test func `every case gets the answer that the contract demands`() throws {
        let bytes = try TextFile.read("Data/contract-cases.json")
        let file = try CaseFile(bytes)
        var gateway = TestGateway()
        var judged = 0
        for place in file.cases {
            let request = try file.request(place)
            let name = try #require(file.text(place, "name"))
            judged += 1
            let answer = try TestAnswer(gateway.answer(request))
            try file.compare(answer, with: place, name)
        }
        #expect(judged >= 40)
    }
}

/// The file of cases.
private struct CaseFile {
    let bytes: [UInt8]
    private var document = JSONDocument()

    init(_ bytes: [UInt8]) throws {
        self.bytes = bytes
        try document.parse(bytes.span)
    }

    var cases: [Int] { elements(document.root) }

    func elements(_ array: Int) -> [Int] {
        var nodes: [Int] = []
        var next = document.firstChild(of: array)
        while let node = next {
            nodes.append(node)
            next = document.next(after: node, in: array)
        }
        return nodes
    }

    func member(_ object: Int, _ name: StaticString) -> Int? {
        document.member(name, of: object, in: bytes.span)
    }

    func text(_ object: Int, _ name: StaticString) -> String? {
        member(object, name).flatMap { document.string($0, from: bytes.span) }
    }

    func raw(_ node: Int) -> String {
        String(decoding: bytes.span.copy(document[node].range), as: UTF8.self)
    }

    func request(_ place: Int) throws -> TestRequest {
        var request = TestRequest()
        request.method = try #require(text(place, "method"))
        request.target = try #require(text(place, "route"))
        request.contentType = text(place, "content_type")
        if let raw = text(place, "raw_body") {
            request.body =
                raw.hasPrefix("base64:")
                ? try #require(Base64.decode(String(raw.dropFirst(7)))) : Array(raw.utf8)
        } else if let body = member(place, "body") {
            request.body = Array(
                raw(body).replacing("$APP_TOKEN", with: TestGateway.application.text).utf8)
        }
        return request
    }

    func compare(_ answer: TestAnswer, with place: Int, _ name: String) throws {
        let expect = try #require(member(place, "expect"))
        let code = document.integer(try #require(member(expect, "http")), from: bytes.span)
        #expect(Int64(answer.code) == code, "\(name): \(answer.text)")
        #expect(answer.string("status") == text(expect, "status"), "\(name): \(answer.text)")
        if let errors = member(expect, "errors") {
            let expected = elements(errors).map { pair in
                elements(pair).compactMap { document.string($0, from: bytes.span) }
                    .joined(separator: " ")
            }
            #expect(answer.errors == expected, "\(name)")
        }
        guard let data = member(expect, "data") else { return }
        for (member, found) in [
            ("duplicate", answer.node("data", "duplicate")),
            ("revision", answer.node("data", "revision")),
        ] as [(StaticString, Int?)] {
            guard let expected = self.member(data, member) else { continue }
            #expect(found.map(answer.raw) == raw(expected), "\(name), \(member)")
        }
    }
}
