import HTTPWire
import JSON
import Linux

// What the commands that talk to a gateway share.

extension Flag {
    /// The flags of every command that talks to a gateway.
    static let connection: [Flag] = [
        .value("to", "URL", "the gateway; \(Endpoint.standard) by default"),
        .value("token-file", "FILE", "file with the token; else the variable DAYBOOK_TOKEN"),
        .value("ca", "FILE", "who certifies an https gateway; else those that the system knows"),
    ]
    static let json = Flag.toggle("json", "print JSON for machines")
    static let wait = Flag.value(
        "wait", "SECONDS",
        "how long to try again without progress; \(Patience.standardSeconds) by default")
}

/// The secret that a gateway knows its client by. Never a flag: those are seen by everybody.
enum TokenSource {
    static let limit = 4_096

    static func read(_ arguments: Arguments) throws -> String {
        let text: String
        let origin: String
        if let path = arguments.value("token-file") {
            do throws(SystemError) {
                text = String(
                    decoding: try SmallFile.read(path, limit: limit), as: UTF8.self)
            } catch {
                throw CommandFailure.local(error)
            }
            origin = path
        } else if let variable = Environment.value("DAYBOOK_TOKEN"), !variable.isEmpty {
            text = variable
            origin = "DAYBOOK_TOKEN"
        } else {
            throw UsageError("no token: give --token-file FILE, or set DAYBOOK_TOKEN")
        }
        let token = text.split(whereSeparator: \.isWhitespace)
        guard token.count == 1, token[0].utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw UsageError("\(origin) holds no token")
        }
        return String(token[0])
    }
}

extension HTTPClient {
    /// Largest answer that is held in memory.
    static let answerLimit = 64 * 1_024 * 1_024

    /// The client of a command's gateway.
    convenience init(_ arguments: Arguments) throws {
        let endpoint = try Endpoint(arguments.value("to") ?? Endpoint.standard)
        let security =
            endpoint.isSecure ? try TLSContext.client(authority: arguments.value("ca")) : nil
        try self.init(endpoint, token: try TokenSource.read(arguments), security: security)
    }

    /// One exchange without a second attempt; any status but 2xx is a failure.
    func answer(to request: HTTPRequest) throws(CommandFailure) -> [UInt8] {
        var head = HTTPResponseHead()
        var body: [UInt8] = []
        do throws(HTTPFailure) {
            head = try send(request)
            body = try collectBody(limit: Self.answerLimit)
        } catch {
            throw CommandFailure(.notReady, "\(error)")
        }
        guard (200..<300).contains(head.status) else {
            throw ServiceRefusal(head, body).failure
        }
        return body
    }
}
