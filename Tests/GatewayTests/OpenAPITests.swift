import HTTPWire
import JSON
import Testing

@testable import Gateway

/// The description of the routes, beside the table that it is made of.
struct OpenAPITests {
    private struct Document {
        let bytes: [UInt8]
        var document = JSONDocument()

        init(_ bytes: [UInt8]) throws {
            self.bytes = bytes
            try document.parse(bytes.span)
        }

        /// The member that these names lead to.
        func node(_ names: [String]) -> Int? {
            var node: Int? = document.root
            for name in names {
                node = node.flatMap { object in
                    var member = document.firstChild(of: object)
                    while let current = member {
                        if document.string(current, from: bytes.span) == name {
                            return document.value(of: current)
                        }
                        member = document.nextName(after: current, in: object)
                    }
                    return nil
                }
            }
            return node
        }

        func text(_ names: [String]) -> String? {
            node(names).map { String(decoding: bytes[document[$0].range], as: UTF8.self) }
        }
    }

    @Test func `it is served without a token, and knows the program's version`() throws {
        var gateway = TestGateway()
        gateway.core = GatewayCore(
            settings: { () -> GatewaySettings in
                var settings = GatewaySettings()
                settings.version = "1.2.3"
                return settings
            }(), times: gateway.core.times, seed: 1)
        let answer = gateway.answer(.get("/openapi.json", bearer: nil))
        #expect(answer.status == 200)
        let document = try Document(answer.body)
        #expect(document.text(["openapi"]) == "\"3.1.0\"")
        #expect(document.text(["info", "version"]) == "\"1.2.3\"")
    }

    @Test func `every method of every route of the table is in it, with all its statuses`() throws {
        let document = try Document(OpenAPIDocument.json(version: "1"))
        var operations = 0
        for route in RouteTable.routes {
            let takesSegment = "\(route.path)".hasSuffix("/")
            #expect(takesSegment == route.query.contains { $0.place == .path }, "\(route.label)")
            let path = takesSegment ? "\(route.path){unique_id}" : "\(route.path)"
            for method in route.methods {
                operations += 1
                let names = ["paths", path, RouteTable.name(method).lowercased()]
                #expect(document.node(names + ["operationId"]) != nil, "\(route.label)")
                for code in route.codes {
                    #expect(document.node(names + ["responses", "\(code)"]) != nil)
                }
                let security = document.text(names + ["security"])
                #expect((security == "[]") != route.needsToken, "\(route.label)")
            }
        }
        #expect(operations > 60)
    }

    @Test func `parameters of bodies are in it, and the token need not be among them`() throws {
        let document = try Document(OpenAPIDocument.json(version: "1"))
        for route in RouteTable.routes where route.form == .parameters {
            let schema = [
                "paths", "\(route.path)", "post", "requestBody", "content", "application/json",
                "schema",
            ]
            for parameter in route.parameters {
                #expect(
                    document.node(schema + ["properties", parameter.name.text]) != nil,
                    "\(route.label): \(parameter.name.text)")
            }
            let required = document.text(schema + ["required"]) ?? "[]"
            let expected = route.parameters.filter { $0.isRequired && $0.name != .token }
            #expect(
                required == "[\(expected.map { "\"\($0.name.text)\"" }.joined(separator: ","))]")
        }
    }

    @Test func `an action without a schema of its own answers with some object`() throws {
        let known = try #require(RouteTable.routes.first { $0.action == .readEvent })
        let stranger = Route(
            action: .openAPI, surface: .compatible, methods: [.post], path: "/api/v1/new/act",
            form: .parameters, permission: ("new", "act"), access: .credential,
            parameters: known.parameters, query: [], label: "new/act")
        let document = try Document(OpenAPIDocument.json(version: "1", routes: [stranger]))
        let data = [
            "paths", "/api/v1/new/act", "post", "responses", "200", "content", "application/json",
            "schema", "properties", "data",
        ]
        #expect(document.text(data) == "{\"type\":\"object\"}")
    }

    @Test func `what takes something away is tagged, and what comes in pieces`() {
        let destructive = RouteTable.routes.filter(RouteWords.isDestructive).map(\.label)
        for label in [
            "audit_events_fmp/erase", "tokens/revoke", "users/delete", "services/withdraw",
            "POST /v1/erasures", "POST /v1/compactions", "DELETE /v1/holds/",
            "POST /v1/cluster/members/remove", "POST /v1/cluster/transfer",
        ] {
            #expect(destructive.contains(label), "\(label)")
        }
        #expect(!destructive.contains("audit_events_fmp/create"))
        let streaming = RouteTable.routes.filter { RouteWords.isStreaming($0.action) }
        #expect(streaming.map(\.label) == ["POST /v1/events", "GET /v1/events"])
    }
}
