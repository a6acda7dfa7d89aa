import Bytes
import Records

// What goes wrong, drawn from the faults that the seed has.

extension Simulation {
    func injectFault() throws {
        guard isSafetyPhase else { return }
        queue.insert(
            .fault, at: later(1 + random.below(options.faultInterval * 2)))
        if random.chance(20) { keepDisk() }
        let fault = random.pick(options.faults)
        note("fault: \(fault.rawValue)")
        switch fault {
        case .crash, .crashInRecovery:
            crash(random.pick(nodes), losingPower: random.chance(60))
        case .blackout:
            guard random.chance(50) else { return }
            statistics.cover(.powerLostEverywhere)
            for node in nodes { crash(node, losingPower: true) }
        case .isolate, .split, .oneWay, .partial: partition(fault)
        case .clog: clog()
        case .heal: network.heal()
        case .diskStall:
            statistics.cover(.diskStalled)
            random.pick(nodes).stalledUntil = later(random.number(in: 10_000_000...1_500_000_000))
        case .diskError, .diskFull: failDisk(random.pick(nodes), isFull: fault == .diskFull)
        case .clockJump:
            let micros = Int64(random.below(UInt64(7_200_000_000))) - 3_600_000_000
            random.pick(nodes).clockOffset = micros
        case .gatewayCrash: restart(random.pick(gateways))
        case .rot: rot(random.pick(nodes))
        case .archiveRot: rotArchive(random.pick(nodes))
        case .asideRot: rotAside(random.pick(nodes))
        case .room: fill(random.pick(nodes))
        case .transfer: begin(.transfer(random.pick(nodes).id), client: nil)
        case .members: drawWantedVoters()
        case .wipe: try wipe(random.pick(nodes))
        }
    }

    private func failDisk(_ node: SimulatedNode, isFull: Bool) {
        guard node.isRunning else { return }
        node.disk.plan(
            isFull ? .noSpace : .inputOutputError,
            at: node.disk.operationCount + random.below(4))
    }

    private func partition(_ fault: SimulationOptions.Fault) {
        let ends = options.endCount
        // Healing must not be rarer than cutting, or nothing ever gets done.
        if random.chance(60) { network.heal() }
        switch fault {
        case .isolate: network.isolate(random.below(ends))
        case .oneWay:
            let isOutgoing = random.chance(50)
            network.isolate(random.below(ends), outgoing: isOutgoing, incoming: !isOutgoing)
        case .partial:
            let (one, other) = (random.below(ends), random.below(ends))
            network.block(from: one, to: other)
            if random.chance(70) { network.block(from: other, to: one) }
        default:
            let sides = (0..<ends).map { _ in random.chance(50) }
            for one in 0..<ends {
                for other in 0..<ends where sides[one] != sides[other] {
                    network.block(from: one, to: other)
                }
            }
        }
    }

    /// Swizzle-clogging: some ends fall silent one by one, and speak again in another order.
    private func clog() {
        let ends = (0..<options.endCount).filter { _ in random.chance(50) }
        for end in ends {
            let until = later(random.number(in: 10_000_000...1_200_000_000))
            for other in 0..<options.endCount where other != end {
                network.clog(from: end, to: other, until: until)
                if random.chance(50) { network.clog(from: other, to: end, until: until) }
            }
        }
    }
}
