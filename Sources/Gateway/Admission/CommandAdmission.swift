import JSON
import Ledger
package import Records

/// A command for the leader, and what its answer shows.
package struct CommandAdmission: Sendable {
    /// What the answer shows besides what the cluster says.
    package enum Reveal: Sendable {
        case nothing
        /// A new token's text, which is shown once.
        case token(String)
        case login(Login, token: String)
        case role(RoleAssignment)
        case application(String)
        case notification(UInt64)
        case rules
    }

    package let command: DirectoryCommand
    package let record: [UInt8]
    package var reveal = Reveal.nothing
    package let surface: Route.Surface
    package var views = Views()
    /// Whether it may owe mail that its answer waits for.
    package var owesMail = false
    /// Mail that it owed could not be handed over yet.
    package var isMailLate = false

    /// The same with the password of its user.
    func with(_ hash: PasswordHash) -> CommandAdmission {
        let change: DirectoryChange
        switch command.change {
        case .directory(.createUser(var row)):
            row.password = hash
            change = .createUser(row)
        case .directory(.updateUser(var patch)):
            patch.password = hash
            change = .updateUser(patch)
        default: preconditionFailure("\(command.change) has no password")
        }
        return CommandAdmission(
            command: DirectoryCommand(
                request: command.request, author: command.author, change: .directory(change)),
            record: record, reveal: reveal, surface: surface, views: views)
    }
}

extension GatewayCore {
    /// The stored record of an administrative event; `details` without secrets, in this order.
    func administration(
        _ action: String, _ subject: String, _ details: KeyValuePairs<String, String>,
        application: String, writtenBy: String
    ) -> [UInt8] {
        var json: [UInt8] = []
        var object = JSONObjectWriter(to: &json)
        for (name, value) in details {
            object.name(name, to: &json)
            JSONWriter.append(value, to: &json)
        }
        object.close(to: &json)
        var record: [UInt8] = []
        RecordEncoder.appendAdministration(
            action: action, subject: subject, details: json, application: application,
            writtenBy: writtenBy, to: &record)
        return record
    }

    /// A change of the directory in the name of the credential.
    func command(
        _ change: DirectoryChange, _ action: String, _ subject: String,
        _ details: KeyValuePairs<String, String> = [:], _ credential: Credential,
        _ request: Identifier, reveal: CommandAdmission.Reveal = .nothing
    ) -> CommandAdmission {
        CommandAdmission(
            command: DirectoryCommand(
                request: request, author: credential.id, change: .directory(change)),
            record: administration(
                action, subject, details, application: credential.application,
                writtenBy: String(decoding: credential.writtenBy, as: UTF8.self)),
            reveal: reveal, surface: .compatible, views: views(credential))
    }
}
