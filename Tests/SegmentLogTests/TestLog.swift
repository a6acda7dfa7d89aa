import Records
import SegmentLog
import Simulation
import Testing

typealias TestLog = ScriptedLog

let testIdentity = ScriptedLog.identity
let testCluster = ScriptedLog.identity.clusterID
let testSettings = ScriptedLog.settings

/// What recovery says of the disk without changing it; nil when it would start.
func failure(of disk: SimulatedDisk) -> RecoveryFailure? {
    do {
        let found = try LogDirectory.inspect(disk: disk, clusterID: testCluster)
        return found.faulty.map { .faulty($0) }
    } catch { return error }
}

/// The file of the damage that recovery finds; nil when it finds none.
func corruptFile(of disk: SimulatedDisk) -> String? {
    switch failure(of: disk) {
    case .corrupt(let file, _, _): file
    case .faulty(let faulty): faulty.file
    default: nil
    }
}
