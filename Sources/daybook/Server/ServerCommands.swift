/// The commands that run or make parts of a cluster.
enum ServerCommands {
    static func run(_ name: String, _ arguments: Arguments) throws {
        throw CommandFailure(.local, "\(name) is not part of this build")
    }
}
