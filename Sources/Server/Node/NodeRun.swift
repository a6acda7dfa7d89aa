import Replica
import SegmentLog

extension NodeServer {
    /// Runs a node until it is stopped, opening its files anew whenever they have become other ones.
    /// Where the end of its log is damaged, its peers are asked first.
    ///
    /// `onStart` is told each time what ends the run.
    package static func run(
        _ configuration: NodeConfiguration,
        onStart: (@escaping @Sendable () -> Void) throws -> Void
    ) throws {
        var ending = Ending.reopen
        var configuration = configuration
        while ending == .reopen {
            do {
                let server = try NodeServer(configuration)
                try onStart(server.stopper)
                ending = try server.run()
            } catch is FaultyTail {
                let repair = try RepairServer(configuration)
                try onStart(repair.stopper)
                ending = try repair.run()
                configuration.settings.repairedEntries += UInt64(repair.fetchedCount)
            }
        }
    }
}
