import Bytes
import Gateway
import PeerWire
import Records
import Replica

// Links between gateways and nodes, and the gateways' turns.

extension Simulation {
    private var reconnectDelay: ClosedRange<UInt64> { 20_000_000...300_000_000 }

    private func end(of gateway: Int) -> Int { options.nodeCount + gateway }

    func connect(_ gateway: SimulatedGateway, _ node: SimulatedNode) {
        guard case .closed = gateway.links[node.place] else { return }
        let there = end(of: gateway.place)
        guard node.isRunning, !network.isBlocked(from: there, to: node.place),
            !network.isBlocked(from: node.place, to: there)
        else { return reconnect(gateway.place, node.place) }
        let link = GatewayLink(gateway: gateway.place, node: node.place, number: nextLink)
        nextLink += 1
        gateway.links[node.place] = .opening
        queue.insert(
            .opened(link, nodeLife: node.life),
            at: network.arrival(from: there, to: node.place, now: now))
    }

    private func reconnect(_ gateway: Int, _ node: Int) {
        queue.insert(
            .connect(gateway: gateway, node: node),
            at: later(random.number(in: reconnectDelay)))
    }

    func opened(_ link: GatewayLink, nodeLife: Int) {
        let gateway = gateways[link.gateway]
        let node = nodes[link.node]
        guard node.life == nodeLife, var process = node.process.take() else {
            gateway.links[link.node] = .closed
            return reconnect(link.gateway, link.node)
        }
        gateway.links[link.node] = .open(link)
        gateway.lastArrival[link.node] = (now, now)
        let client = ClientID(link.number)
        process.clients.append((client, link))
        process.replica.clientConnected(client, now: now, into: &process.outcome)
        node.process = process
        planTurn(node, at: later(20_000))
        gateway.client.opened(node.id)
        planTurn(gateway, at: later(20_000))
    }

    /// A link is at its end on both sides.
    func broken(_ link: GatewayLink) {
        let gateway = gateways[link.gateway]
        let node = nodes[link.node]
        lostLinks.removeAll { $0 == link }
        if let place = node.process?.clients.firstIndex(where: { $0.link == link }) {
            node.process?.clients.remove(at: place)
            node.process?.replica.clientGone(ClientID(link.number))
        }
        guard gateway.isOpen(link) else { return }
        note("gateway \(link.gateway) loses node \(node.id)")
        gateway.links[link.node] = .closed
        gateway.client.lost(node.id)
        planTurn(gateway, at: later(20_000))
        reconnect(link.gateway, link.node)
    }

    /// What is sent into a partition is lost, and with it the link: nothing may arrive after a gap.
    private func lose(_ link: GatewayLink) {
        let patience = random.number(in: UInt64(100_000_000)...UInt64(2_000_000_000))
        lostLinks.append(link)
        queue.insert(.broken(link), at: later(patience))
    }

    private func isLost(_ link: GatewayLink) -> Bool { lostLinks.contains(link) }

    func sendToGateway(_ bytes: [UInt8], _ link: GatewayLink) {
        let gateway = gateways[link.gateway]
        guard gateway.isOpen(link), !isLost(link) else { return }
        let there = end(of: link.gateway)
        guard !network.isBlocked(from: link.node, to: there) else { return lose(link) }
        let time = max(
            gateway.lastArrival[link.node].toGateway,
            network.arrival(from: link.node, to: there, now: now))
        gateway.lastArrival[link.node].toGateway = time
        queue.insert(.gatewayFrame(link, bytes), at: time)
    }

    private func sendToNode(_ bytes: [UInt8], _ node: NodeID, from gateway: SimulatedGateway) {
        let place = Int(node.value) - 1
        guard gateway.links.indices.contains(place), case .open(let link) = gateway.links[place],
            !isLost(link)
        else { return }
        let here = end(of: gateway.place)
        guard !network.isBlocked(from: here, to: place) else { return lose(link) }
        let time = max(
            gateway.lastArrival[place].toNode, network.arrival(from: here, to: place, now: now))
        gateway.lastArrival[place].toNode = time
        queue.insert(.nodeFrame(link, bytes), at: time)
    }

    func takeNodeFrame(_ link: GatewayLink, _ bytes: [UInt8]) throws {
        let node = nodes[link.node]
        guard let client = node.process?.clients.last(where: { $0.link == link })?.id else {
            return
        }
        let (now, wall) = (now, wall(of: node))
        try give(node) { process in
            var frames = FrameBuffer()
            frames.payloadLimit = Frame.payloadBytes
            frames.bytes = bytes
            while let (kind, payload) = try frames.next() {
                self.note(
                    "node \(node.id) takes \(kind) \(bytes.span.littleEndian(UInt64.self, at: payload.lowerBound)) of gateway \(link.gateway)"
                )
                switch kind {
                case .submit:
                    try process.replica.submit(
                        payload, in: bytes.span, from: client, now: now, wall: wall,
                        into: &process.outcome)
                case .query:
                    process.replica.query(
                        try Query(payload, bytes.span), from: client, now: now,
                        into: &process.outcome)
                case .command:
                    process.replica.command(
                        try CommandRequest(payload, bytes.span), from: client,
                        into: &process.outcome)
                case .clusterCommand:
                    process.replica.cluster(
                        try ClusterCommand(payload, bytes.span), from: client, now: now,
                        wall: wall, into: &process.outcome)
                default: throw FrameDefect.kind(kind.rawValue)
                }
            }
        }
    }

    func takeGatewayFrame(_ link: GatewayLink, _ bytes: [UInt8]) throws {
        let gateway = gateways[link.gateway]
        guard gateway.isOpen(link) else { return }
        note("gateway \(link.gateway) hears \(Self.kinds(of: bytes))")
        try gateway.take(bytes, from: nodes[link.node].id)
        deliver(gateway)
        planTurn(gateway, at: later(20_000))
    }

    /// The kinds of the frames in `bytes`, and the number that each begins with.
    static func kinds(of bytes: [UInt8]) -> String {
        var texts: [String] = []
        var offset = 0
        while offset < bytes.count {
            let length = Int(bytes.span.littleEndian(UInt32.self, at: offset))
            let number: UInt64 = bytes.span.littleEndian(at: offset + Frame.headerByteCount)
            let kind = FrameKind(rawValue: bytes[offset + 4]).map { "\($0)" } ?? "?"
            texts.append("\(kind) \(number)")
            offset += Frame.headerByteCount + length
        }
        return texts.joined(separator: ", ")
    }

    // MARK: Turns

    func planTurn(_ gateway: SimulatedGateway, at time: Instant) {
        if let planned = gateway.nextTurn, planned <= time { return }
        gateway.nextTurn = time
        queue.insert(.gatewayTurn(gateway.place), at: time)
    }

    func takeGatewayTurn(_ gateway: SimulatedGateway) throws {
        guard gateway.nextTurn == now else { return }
        gateway.nextTurn = nil
        gateway.client.endTurn(now: now)
        let frames = gateway.client.frames
        gateway.client.frames.removeAll()
        for frame in frames { sendToNode(frame.bytes, frame.node, from: gateway) }
        deliver(gateway)
        if let deadline = gateway.client.nextDeadline() {
            planTurn(gateway, at: max(deadline, later(20_000)))
        }
    }

    /// A gateway's process ends: nobody hears of what it was asked.
    func restart(_ gateway: SimulatedGateway) {
        note("gateway \(gateway.place) starts again")
        statistics.cover(.gatewayRestarted)
        let waiting = gateway.waiting
        gateway.waiting = []
        gateway.restart(members: members.rows.map(\.id), deadline: options.requestDeadline)
        for place in gateway.links.indices {
            if case .open(let link) = gateway.links[place] {
                gateway.links[place] = .closed
                queue.insert(.broken(link), at: later(1_000_000))
                reconnect(gateway.place, place)
            }
        }
        for operation in waiting { finish(operation, .notAppended(isUnknown: true)) }
    }

    private func deliver(_ gateway: SimulatedGateway) {
        let deliveries = gateway.client.deliveries
        gateway.client.deliveries.removeAll()
        for delivery in deliveries {
            let (exchange, answer) = answer(delivery)
            let operation = Int(exchange.value)
            gateway.waiting.removeAll { $0 == operation }
            finish(operation, answer)
        }
    }

    private func answer(_ delivery: Delivery) -> (ExchangeID, History.Answer) {
        switch delivery {
        case .receipt(let exchange, _, let receipt): (exchange, .receipt(receipt))
        case .notAppended(let exchange, _, let why):
            (exchange, .notAppended(isUnknown: why == .unknown))
        case .rows(let exchange, let head, let rows):
            (exchange, .rows(head, RowReading.rows(of: rows)))
        case .noRows(let exchange): (exchange, .noRows)
        case .command(let exchange, let outcome): (exchange, .command(outcome))
        case .cluster(let exchange, let outcome, _): (exchange, .cluster(outcome))
        case .fetched(let exchange, _): (exchange, .noRows)
        }
    }
}
