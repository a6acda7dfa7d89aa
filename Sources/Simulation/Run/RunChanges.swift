/// What a run leaves out of what its seed draws, so that a failing one becomes short.
package struct RunChanges: Equatable, Sendable {
    /// Names of faults (`SimulationOptions.Fault`, `voters`, `figure8`, `network`, `retention`, `end`).
    package var without: [String] = []
    package var clients: Int?
    package var gateways: Int?
    /// Virtual time of the safety phase.
    package var milliseconds: UInt64?
    /// Other chances with the same options.
    package var salt: UInt64 = 0

    package init() {}

    /// Everything that `without` may name.
    package static var names: [String] {
        SimulationOptions.Fault.allCases.map(\.rawValue)
            + ["voters", "figure8", "network", "retention", "end"]
    }

    /// The words of a command line that say the same.
    package var words: String {
        var words: [String] = []
        if !without.isEmpty { words.append("--without \(without.joined(separator: ","))") }
        if let clients { words.append("--clients \(clients)") }
        if let gateways { words.append("--gateways \(gateways)") }
        if let milliseconds { words.append("--milliseconds \(milliseconds)") }
        if salt > 0 { words.append("--salt \(salt)") }
        return words.joined(separator: " ")
    }
}

extension SimulationOptions {
    mutating func change(_ changes: RunChanges) {
        salt = changes.salt
        if let clients = changes.clients { clientCount = min(clientCount, clients) }
        if let gateways = changes.gateways { gatewayCount = min(gatewayCount, gateways) }
        if let milliseconds = changes.milliseconds {
            safetyTime = min(safetyTime, milliseconds * 1_000_000)
        }
        for name in changes.without { leaveOut(name) }
    }

    private mutating func leaveOut(_ name: String) {
        switch name {
        case "voters": crashesVoters = false
        case "figure8": adversary = false
        case "network": network = SimulatedNetwork.Manners()
        case "retention": (retentionPercent, compactionPeriod) = (0, nil)
        case "end": lastFault = nil
        default: faults.removeAll { $0.rawValue == name }
        }
    }

    /// What of `RunChanges.names` this run has.
    var present: [String] {
        var names: [String] = []
        for fault in faults where !names.contains(fault.rawValue) { names.append(fault.rawValue) }
        if crashesVoters { names.append("voters") }
        if adversary { names.append("figure8") }
        if network != SimulatedNetwork.Manners() { names.append("network") }
        if retentionPercent > 0 || compactionPeriod != nil { names.append("retention") }
        if lastFault != nil { names.append("end") }
        return names
    }
}
