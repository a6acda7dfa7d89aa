import HTTPWire
import JSON

/// Why the service did not do something, out of either surface's form.
struct ServiceRefusal: Equatable, Sendable {
    let code: Int
    /// The status slug, or the title of a problem.
    let slug: String
    let message: String
    /// One text for each faulty parameter.
    let faults: [String]
    var retryAfterSeconds: UInt64?

    /// Reads the answer to a whole request, whatever its body is.
    init(_ head: HTTPResponseHead, _ body: [UInt8]) {
        var document = JSONDocument()
        if (try? document.parse(body.span)) != nil {
            self.init(code: head.status, document, document.root, body)
        } else {
            self.init(
                code: head.status, slug: "HTTP \(head.status)",
                message: String(decoding: body.prefix(200), as: UTF8.self), faults: [])
        }
        retryAfterSeconds = head.value("retry-after").flatMap { UInt64($0) }
    }

    /// Reads the envelope, or the problem, at `node`.
    init(code: Int, _ document: JSONDocument, _ node: Int, _ bytes: [UInt8]) {
        func text(_ name: StaticString, _ object: Int) -> String? {
            document.member(name, of: object, in: bytes.span).flatMap {
                document.string($0, from: bytes.span)
            }
        }
        var faults: [String] = []
        if let errors = document.member("errors", of: node, in: bytes.span),
            document.kind(errors) == .array
        {
            var element = document.firstChild(of: errors)
            while let current = element {
                let attribute = text("attr", current) ?? "?"
                let fault = text("message", current) ?? "?"
                let detail = text("detail", current).map { " (\($0))" } ?? ""
                faults.append("\(attribute): \(fault)\(detail)")
                element = document.next(after: current, in: errors)
            }
        }
        self.init(
            code: code, slug: text("status", node) ?? text("title", node) ?? "HTTP \(code)",
            message: text("message", node) ?? text("detail", node) ?? "", faults: faults)
    }

    private init(code: Int, slug: String, message: String, faults: [String]) {
        self.code = code
        self.slug = slug
        self.message = message
        self.faults = faults
    }

    /// Whether the same request may be carried out later.
    var isTransient: Bool {
        switch code {
        case 408, 429, 502, 503, 504: true
        // An internal error with nothing half done; a route that does not exist stays so.
        case 500: slug == "application-crash" || slug == "identify-request-error"
        default: false
        }
    }

    var description: String {
        let reasons = faults.isEmpty ? message : faults.joined(separator: "; ")
        return reasons.isEmpty ? slug : "\(slug): \(reasons)"
    }

    var failure: CommandFailure {
        CommandFailure(isTransient ? .notReady : .refused, Printable.text(description))
    }
}

/// Text that cannot harm a terminal.
enum Printable {
    /// As `text`, line by line.
    static func lines(_ lines: String) -> String {
        lines.split(separator: "\n", omittingEmptySubsequences: false).map { text(String($0)) }
            .joined(separator: "\n")
    }

    /// `text` with control characters, and those that turn the direction of writing, replaced.
    static func text(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    switch scalar.properties.generalCategory {
                    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate:
                        "\u{FFFD}"
                    default: scalar
                    }
                }))
    }
}
