import Linux

/// How the process ends (docs/reference/cli.md).
enum ExitCode: Int32, Sendable {
    case done = 0
    /// The service refused, or some events are not recorded.
    case refused = 1
    case usage = 2
    /// Nobody answers, or no majority of the cluster does.
    case notReady = 3
    /// A file or the terminal failed here.
    case local = 4
}

/// Why a command cannot go on.
struct CommandFailure: Error, Equatable, CustomStringConvertible {
    let code: ExitCode
    let description: String

    init(_ code: ExitCode, _ description: String) {
        self.code = code
        self.description = description
    }

    static func local(_ error: SystemError) -> CommandFailure {
        CommandFailure(.local, "\(error)")
    }
}
