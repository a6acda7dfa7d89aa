import Bytes
import JSON
package import Records

// Mail by Mandrill's API 1.0, `messages/send`: what is posted, and what its answers mean.

/// One mail as it is written for people.
package struct MailText: Equatable, Sendable {
    package let subject: String
    package let body: String
    /// Of whom is written to; empty where it is not known.
    package let recipientName: String
    /// Mandrill's name for mail of one kind.
    package let tag: String

    /// The text of a mail that is owed; `user` is whom a welcome is for.
    package init(_ order: MailOrder, user: UserRow?) {
        switch order.subject {
        case .welcome:
            let name = [user?.firstName ?? "", user?.lastName ?? ""].filter { !$0.isEmpty }
                .joined(separator: " ")
            recipientName = name
            tag = "daybook-welcome"
            subject = "Welcome to Daybook"
            body =
                (name.isEmpty ? "Hello,\n\n" : "Hello \(name),\n\n")
                + "you are registered as a client now, and can log in with this e-mail address.\n"
        case .alert(let event):
            recipientName = ""
            tag = "daybook-alert"
            let script = event.scriptName.cut(toBytes: 80)
            subject = MailText.oneLine("Daybook: \(script) on \(event.hostName)")
            var lines = [
                "An event matches the rule\n\n    \(event.rule)\n",
                "script_name: \(event.scriptName)", "host_name: \(event.hostName)",
                "start_time: \(event.startTime)",
                "stop_time: \(event.stopTime.isEmpty ? "none yet" : event.stopTime)",
                "unique_id: \(event.uniqueID)", "application: \(event.application)",
                "revision: \(event.revision)", "sequence: \(event.sequence)",
            ].map(MailText.withoutControls)
            lines.append("")
            body = lines.joined(separator: "\n")
        }
    }

    private static func oneLine(_ text: String) -> String {
        withoutControls(text).replacing("\n", with: " ")
    }

    /// Control characters other than the ends of lines become spaces: nothing in an event may look
    /// like more of a mail than it is.
    private static func withoutControls(_ text: String) -> String {
        var plain = ""
        for scalar in text.unicodeScalars {
            let isControl = scalar.value < 0x20 && scalar != "\n" || scalar.value == 0x7F
            plain.unicodeScalars.append(isControl ? " " : scalar)
        }
        return plain
    }
}

package enum Mandrill {
    /// Bytes of an answer that are read. A longer one is no answer.
    package static let answerBytes = 64 * 1_024
    /// The header, and in lower case with underscores the metadata, that all attempts of one mail
    /// have in common.
    package static let header: StaticString = "X-Daybook-Mail"

    /// What names a mail in all its attempts, whichever gateway makes them.
    package static func name(of mail: UInt64, cluster: Identifier) -> String {
        "\(cluster)-\(mail)"
    }

    /// The body of `messages/send`.
    package static func body(
        key: [UInt8], name: String, recipient: String, _ text: MailText, from rules: MailRules
    ) -> [UInt8] {
        var body: [UInt8] = []
        var object = JSONObjectWriter(to: &body)
        object.member("key", String(decoding: key, as: UTF8.self), to: &body)
        object.name("message", to: &body)
        var message = JSONObjectWriter(to: &body)
        message.member("subject", text.subject, to: &body)
        message.member("text", text.body, to: &body)
        message.member("from_email", rules.sender, to: &body)
        if !rules.senderName.isEmpty {
            message.member("from_name", rules.senderName, to: &body)
        }
        message.name("to", to: &body)
        var recipients = JSONArrayWriter(to: &body)
        recipients.element(to: &body)
        var person = JSONObjectWriter(to: &body)
        person.member("email", recipient, to: &body)
        if !text.recipientName.isEmpty { person.member("name", text.recipientName, to: &body) }
        person.member("type", "to", to: &body)
        person.close(to: &body)
        recipients.close(to: &body)
        message.name("headers", to: &body)
        var headers = JSONObjectWriter(to: &body)
        headers.member(header, name, to: &body)
        headers.close(to: &body)
        message.member("important", false, to: &body)
        message.member("track_opens", false, to: &body)
        message.member("track_clicks", false, to: &body)
        message.member("tags", [text.tag], to: &body)
        message.name("metadata", to: &body)
        var metadata = JSONObjectWriter(to: &body)
        metadata.member("daybook_mail", name, to: &body)
        metadata.close(to: &body)
        message.close(to: &body)
        object.member("async", false, to: &body)
        object.close(to: &body)
        return body
    }

    /// Why an answer does not take the mail; nil when it does. `key` is never part of it.
    package static func refusal(status: Int, body: [UInt8], key: [UInt8]) -> String? {
        guard let reason = reason(status, body) else { return nil }
        let secret = String(decoding: key, as: UTF8.self)
        let safe = secret.isEmpty ? reason : reason.replacing(secret, with: "(the key)")
        return safe.cut(toBytes: MailReport.reasonBytes)
    }

    private static func reason(_ status: Int, _ body: [UInt8]) -> String? {
        let bytes = body.span
        var document = JSONDocument()
        do { try document.parse(bytes) } catch {
            return "HTTP \(status), and no answer of Mandrill's in it"
        }
        func text(_ name: StaticString, _ object: Int) -> String? {
            document.member(name, of: object, in: bytes).flatMap {
                document.string($0, from: bytes)
            }
        }
        if document.kind(document.root) == .array, status == 200,
            let first = document.firstChild(of: document.root),
            let state = text("status", first)
        {
            if ["sent", "queued", "scheduled"].contains(state) { return nil }
            return "\(state): \(text("reject_reason", first) ?? "no reason is given")"
        }
        if text("status", document.root) == "error" {
            let name = text("name", document.root) ?? "error"
            return "\(name): \(text("message", document.root) ?? "HTTP \(status)")"
        }
        return "HTTP \(status), and no answer of Mandrill's in it"
    }
}
