import JSON
import Linux

/// `daybook transfer NODE`: another node is to lead.
enum TransferCommand {
    static func run(_ arguments: Arguments) throws -> ExitCode {
        guard let node = UInt32(arguments.positional[0]), node > 0 else {
            throw UsageError("NODE is the number of a node, not \"\(arguments.positional[0])\"")
        }
        var body: [UInt8] = []
        var object = JSONObjectWriter(to: &body)
        object.member("node", Int64(node), to: &body)
        object.close(to: &body)
        let client = try HTTPClient(arguments)
        let answer = try client.answer(
            to: HTTPRequest(
                method: "POST", target: "/v1/cluster/transfer", contentType: "application/json",
                body: body))
        StandardStream.output.write(
            arguments.isSet("json")
                ? answer + (answer.last == 0x0A ? [] : [0x0A])
                : Array(try describe(answer).utf8))
        return .done
    }

    /// The answer for people.
    static func describe(_ body: [UInt8]) throws(CommandFailure) -> String {
        let answer = try JSONAnswer(body)
        let root = answer.document.root
        let verb = answer.isTrue("already", root) ? "leads already" : "leads and takes events"
        return Printable.text(
            "node \(answer.text("leader", root)) \(verb), in term \(answer.text("term", root))")
            + "\n"
    }
}
