import Records
import SegmentLog

// One disk ends after everything was checked: what it held is on all the others.

extension Simulation {
    /// Keeps a disk as it is now, for a rollback in the end; the newest that was kept counts.
    func keepDisk() {
        guard options.lastFault == .rollback, !hasDamage else { return }
        let node = random.pick(nodes)
        guard members.voters.contains(node.id), node.isRunning, !node.isRotten, node.aside == nil
        else { return }
        earlierDisk = (node.place, SimulatedDisk(copying: node.disk))
    }

    func end(with fault: SimulationOptions.LastFault) throws {
        switch fault {
        case .rollback: try endWithRollback()
        case .wipe: try endWithWipe()
        }
    }

    /// A disk returns to an earlier state. All others have what was acknowledged: while its node is
    /// there again, and when it is gone, they serve and lose nothing. That the node catches up is not
    /// demanded: nobody notices yet, and its leader does not go back behind what it acknowledged.
    private func endWithRollback() throws {
        guard let (place, earlier) = earlierDisk, members.voters.count > 2,
            members.voters.contains(nodes[place].id)
        else { return }
        nodes[place].wasRolledBack = true
        statistics.cover(.diskRolledBack)
        statistics.diskFaultCount += 1
        note("the disk of node \(nodes[place].id) is an earlier one")
        crash(nodes[place], losingPower: false)
        nodes[place].disk.rollBack(to: earlier)
        try demandAppend("beside a disk that was rolled back")
        try run(until: later(2_000_000_000))
        resting[place] = true
        crash(nodes[place], losingPower: true)
        try demandService("after a rollback")
        try demandRetention()
        try checkEnd()
    }

    /// A disk is empty: its node says so and stays down, and the others serve.
    private func endWithWipe() throws {
        let voters = members.voters
        guard voters.count > 2, let node = node(random.pick(voters)) else { return }
        statistics.cover(.diskWiped)
        statistics.diskFaultCount += 1
        note("the disk of node \(node.id) is empty")
        crash(node, losingPower: false)
        node.disk.rollBack(to: SimulatedDisk())
        try demandRefusal(of: node)
        resting[node.place] = true
        try demandService("after a disk was lost")
    }
}
