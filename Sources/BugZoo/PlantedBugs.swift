#if PLANTED_BUGS
    internal import Synchronization

    /// The place of the process's planted bug among all cases; -1 for none.
    private let plantedInProcess = Atomic<Int>(-1)
#endif

/// Which planted bugs are on. Empty, and compiled away, unless the build has `PLANTED_BUGS`.
///
/// The consensus core takes its switches from its settings, so that runs of several bugs can stand
/// beside each other; what has no settings asks the process (`PlantedBug.isPlanted`).
package struct PlantedBugs: Sendable {
    #if PLANTED_BUGS
        private var bugs: [PlantedBug] = []
    #endif

    @inlinable
    package init() {}

    #if PLANTED_BUGS
        package init(_ bugs: [PlantedBug]) { self.bugs = bugs }
        @usableFromInline
        func holds(_ bug: PlantedBug) -> Bool { bugs.contains(bug) }
    #endif

    /// The bug of that name alone; none where there is no name, or no such bug in this build.
    package init(named name: String?) {
        self.init()
        #if PLANTED_BUGS
            bugs = name.flatMap(PlantedBug.init(rawValue:)).map { [$0] } ?? []
        #endif
    }

    @inlinable
    @inline(__always)
    package func contains(_ bug: PlantedBug) -> Bool {
        #if PLANTED_BUGS
            holds(bug)
        #else
            false
        #endif
    }
}

extension PlantedBug {
    #if PLANTED_BUGS
        /// Plants this bug in the whole process. Call it before anything runs.
        package func plant() {
            plantedInProcess.store(place, ordering: .sequentiallyConsistent)
        }

        private var place: Int {
            guard let place = Self.allCases.firstIndex(of: self) else { preconditionFailure() }
            return place
        }

        @usableFromInline
        var isOn: Bool {
            let planted = plantedInProcess.load(ordering: .relaxed)
            return planted >= 0 && Self.allCases[planted] == self
        }
    #endif

    /// Whether the process has this bug. False, and compiled away, in every other build.
    @inlinable
    @inline(__always)
    package var isPlanted: Bool {
        #if PLANTED_BUGS
            isOn
        #else
            false
        #endif
    }
}
