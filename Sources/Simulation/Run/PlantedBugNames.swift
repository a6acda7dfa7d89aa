import BugZoo
import Consensus

/// The planted bugs that this build knows.
package enum PlantedBugNames {
    /// Empty in a build without them.
    package static var all: [String] {
        #if PLANTED_BUGS
            PlantedBug.allCases.map(\.rawValue)
        #else
            []
        #endif
    }

    /// Plants the bug in the whole process, for what has no settings. Call it before any run.
    package static func plant(_ name: String) {
        #if PLANTED_BUGS
            PlantedBug(rawValue: name)?.plant()
        #endif
    }

    /// Throws when there is no such bug in this build.
    static func switches(_ name: String?) throws(Violation) -> PlantedBugs {
        guard let name else { return PlantedBugs() }
        #if PLANTED_BUGS
            if let bug = PlantedBug(rawValue: name) { return PlantedBugs([bug]) }
        #endif
        throw Violation("no bug is called \(name) in this build")
    }
}
