import HTTPWire
import JSON

/// The description of all routes, as OpenAPI 3.1: of the table that serves, and of nothing else.
package enum OpenAPIDocument {
    private static let description =
        "Paths match byte for byte. Under `/api/`, a path or method that no route takes is 500 "
        + "`route-non-existent`. Parameters of the compatible surface come from the JSON body and from "
        + "the query string; the body wins, and unknown ones are ignored. Lengths count bytes of UTF-8."

    /// The document, as JSON.
    package static func json(version: String, routes: [Route] = RouteTable.routes) -> [UInt8] {
        var output: [UInt8] = []
        var object = JSONObjectWriter(to: &output)
        object.member("openapi", "3.1.0", to: &output)
        object.name("info", to: &output)
        var info = JSONObjectWriter(to: &output)
        info.member("title", "Daybook", to: &output)
        info.member("version", version, to: &output)
        info.member("description", description, to: &output)
        info.close(to: &output)
        object.name("servers", to: &output)
        output.append(contentsOf: "[{\"url\":\"/\"}]".utf8)
        object.name("paths", to: &output)
        appendPaths(routes, to: &output)
        object.name("components", to: &output)
        appendComponents(to: &output)
        object.close(to: &output)
        return output
    }

    private static func appendPaths(_ routes: [Route], to output: inout [UInt8]) {
        var object = JSONObjectWriter(to: &output)
        var paths: [String] = []
        for route in routes where !paths.contains(path(route)) { paths.append(path(route)) }
        for path in paths {
            object.name(path, to: &output)
            var item = JSONObjectWriter(to: &output)
            for route in routes where self.path(route) == path {
                for method in route.methods {
                    item.name(RouteTable.name(method).lowercased(), to: &output)
                    Operation(route: route, method: method).append(to: &output)
                }
            }
            item.close(to: &output)
        }
        object.close(to: &output)
    }

    /// The path as a template.
    private static func path(_ route: Route) -> String {
        let name = route.query.first { $0.place == .path }
        return name.map { "\(route.path){\($0.name)}" } ?? "\(route.path)"
    }

    private static func appendComponents(to output: inout [UInt8]) {
        var object = JSONObjectWriter(to: &output)
        object.name("schemas", to: &output)
        var schemas = JSONObjectWriter(to: &output)
        for (name, schema) in AnswerSchemas.components {
            schemas.name(name, to: &output)
            schema.append(to: &output)
        }
        schemas.close(to: &output)
        object.name("securitySchemes", to: &output)
        output.append(
            contentsOf: ("{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\"},"
                + "\"token\":{\"type\":\"apiKey\",\"in\":\"query\",\"name\":\"token\"}}").utf8)
        object.close(to: &output)
    }
}

/// One method of one route.
private struct Operation {
    let route: Route
    let method: HTTPMethod

    private var isCompatible: Bool { route.surface == .compatible }

    func append(to output: inout [UInt8]) {
        var object = JSONObjectWriter(to: &output)
        object.member("operationId", identifier, to: &output)
        object.member("summary", RouteWords.summary(route.action) ?? route.label, to: &output)
        if let (resource, action) = route.permission {
            object.member("description", "Needs `\(resource)/\(action)`.", to: &output)
        }
        object.member("tags", tags, to: &output)
        object.name("security", to: &output)
        output.append(contentsOf: security.utf8)
        appendParameters(&object, to: &output)
        appendBody(&object, to: &output)
        object.name("responses", to: &output)
        appendResponses(to: &output)
        object.close(to: &output)
    }

    private var identifier: String {
        let words = "\(RouteTable.name(method).lowercased()) \(route.path)"
        let parts = words.split { !$0.isLetter && !$0.isNumber && $0 != "_" }
        let subject = route.query.contains { $0.place == .path } ? ["one"] : []
        return (parts.map(String.init) + subject).joined(separator: "_")
    }

    private var tags: [String] {
        let parts = "\(route.path)".split(separator: "/").map(String.init)
        let resource = isCompatible ? parts[2] : parts.count > 1 ? parts[1] : parts[0]
        return [resource] + (RouteWords.isStreaming(route.action) ? ["streaming"] : [])
            + (RouteWords.isDestructive(route) ? ["destructive"] : [])
    }

    private var security: String {
        guard route.needsToken else { return "[]" }
        return isCompatible ? "[{\"bearer\":[]},{\"token\":[]}]" : "[{\"bearer\":[]}]"
    }

    // MARK: What is sent

    private func appendParameters(_ object: inout JSONObjectWriter, to output: inout [UInt8]) {
        guard !route.query.isEmpty else { return }
        object.name("parameters", to: &output)
        var array = JSONArrayWriter(to: &output)
        for parameter in route.query {
            array.element(to: &output)
            var entry = JSONObjectWriter(to: &output)
            entry.member("name", "\(parameter.name)", to: &output)
            entry.member("in", parameter.place.rawValue, to: &output)
            entry.member("description", "\(parameter.summary)", to: &output)
            if parameter.place == .path { entry.member("required", true, to: &output) }
            entry.name("schema", to: &output)
            parameter.schema.append(to: &output)
            entry.close(to: &output)
        }
        array.close(to: &output)
    }

    private func appendBody(_ object: inout JSONObjectWriter, to output: inout [UInt8]) {
        let content: [(mediaType: String, schema: Schema)]
        switch route.form {
        case .none: return
        case .parameters: content = [("application/json", parameters)]
        case .sensitive: content = [("text/plain", .base64(parameters))]
        case .events:
            content = [
                ("application/x-ndjson", .text()),
                ("application/json", .array(.object([], isOpen: true))),
            ]
        }
        object.name("requestBody", to: &output)
        var body = JSONObjectWriter(to: &output)
        body.member("required", true, to: &output)
        body.name("content", to: &output)
        append(content.map { ($0.mediaType, $0.schema) }, to: &output)
        body.close(to: &output)
    }

    /// The parameters of the body. The token may come by header, so that none has to be there.
    private var parameters: Schema {
        .object(
            route.parameters.map { parameter in
                .init(
                    name: parameter.name.text, schema: parameter.schema,
                    isRequired: parameter.isRequired && parameter.name != .token)
            }, isOpen: true)
    }

    private func append(
        _ content: [(mediaType: String, schema: Schema?)], to output: inout [UInt8]
    ) {
        var object = JSONObjectWriter(to: &output)
        for (mediaType, schema) in content {
            object.name(mediaType, to: &output)
            var media = JSONObjectWriter(to: &output)
            if let schema {
                media.name("schema", to: &output)
                schema.append(to: &output)
            }
            media.close(to: &output)
        }
        object.close(to: &output)
    }

    // MARK: What is answered

    private func appendResponses(to output: inout [UInt8]) {
        var object = JSONObjectWriter(to: &output)
        for code in route.codes {
            object.name("\(code)", to: &output)
            var response = JSONObjectWriter(to: &output)
            response.member("description", Self.words(code), to: &output)
            append(headers(code), &response, to: &output)
            if method != .head {
                response.name("content", to: &output)
                append(content(code), to: &output)
            }
            response.close(to: &output)
        }
        object.close(to: &output)
    }

    private func content(_ code: Int) -> [(mediaType: String, schema: Schema?)] {
        if code == 200 {
            return isCompatible
                ? [("application/json", AnswerSchemas.envelope(AnswerSchemas.data(route.action)))]
                : AnswerSchemas.content(route.action)
        }
        if route.action == .ready, code == 503 { return [("text/plain", nil)] }
        let problem = ("application/problem+json", Schema?.some(.reference("Problem")))
        guard isCompatible, AnswerSchemas.codes.contains(code) else { return [problem] }
        let refusal = ("application/json", Schema?.some(.reference("Refusal\(code)")))
        // What is no HTTP request is refused before there is a route.
        return code == 400 ? [refusal, problem] : [refusal]
    }

    private func headers(_ code: Int) -> [(name: String, isRequired: Bool)] {
        switch code {
        case 200:
            route.query.contains { "\($0.name)" == "stale" } ? [("Daybook-Stale-Age", false)] : []
        case 401: isCompatible ? [] : [("WWW-Authenticate", true)]
        case 429, 503: [("Retry-After", true)]
        default: []
        }
    }

    private func append(
        _ headers: [(name: String, isRequired: Bool)], _ response: inout JSONObjectWriter,
        to output: inout [UInt8]
    ) {
        guard !headers.isEmpty else { return }
        response.name("headers", to: &output)
        var object = JSONObjectWriter(to: &output)
        for (name, isRequired) in headers {
            object.name(name, to: &output)
            var header = JSONObjectWriter(to: &output)
            header.member("required", isRequired, to: &output)
            header.name("schema", to: &output)
            Schema.text().append(to: &output)
            header.close(to: &output)
        }
        object.close(to: &output)
    }

    private static func words(_ code: Int) -> String {
        code == 200 ? "Done" : "\(HTTPStatus.reason(code))"
    }
}

extension Route {
    /// The statuses that its answers may have.
    var codes: [Int] {
        // Those of HTTP itself: a request that is none, and too long a one.
        var codes: Set = [200, 400, 414, 429, 431]
        if needsToken { codes.formUnion([401, 500, 503]) }
        if permission != nil { codes.formUnion([403, 404]) }
        if form != .none { codes.insert(413) }
        if surface == .compatible { codes.formUnion([500, 503]) }
        switch action {
        case .ready: codes.insert(503)
        case .transfer, .clusterFiles, .addMember, .promoteMember, .removeMember, .compact,
            .addHold, .removeHold, .eraseNative:
            codes.insert(409)
        case .readSession, .deleteSession, .registerClient: codes.insert(403)
        default: break
        }
        return codes.sorted()
    }
}

extension RouteParameter {
    var schema: Schema {
        switch kind {
        case .text(let limit, let isName): isName ? .name(limit) : .text(limit)
        case .flag: .flag
        case .integer: .integer(0...UInt64(Int64.max))
        case .texts: .either([.array(.text(255)), .text(255)])
        case .values: .array(.any)
        case .view: .words(EventReading.View.allCases.map(\.rawValue))
        case .time: .text(64)
        }
    }
}

extension NativeParameter {
    var schema: Schema {
        switch kind {
        case .text: .text()
        case .time: .text(64)
        case .flag: .flag
        case .number(let limit): .integer(0...limit)
        case .words(let words): .words(words)
        }
    }
}
