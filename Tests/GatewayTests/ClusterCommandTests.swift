import PeerWire
import Records
import Testing

@testable import Gateway

struct ClusterCommandTests {
    private func ask(_ cluster: inout ScriptedCluster) {
        cluster.client.request(
            .transfer(to: NodeID(2)), author: TokenID(1), exchange: ExchangeID(7),
            now: cluster.now)
    }

    private func reply(
        _ outcome: ClusterReply.Outcome, from node: UInt32, _ cluster: inout ScriptedCluster
    ) throws {
        var payload: [UInt8] = []
        ClusterReply(id: 1, outcome: outcome).append(to: &payload)
        try cluster.client.clusterAnswer(0..<payload.count, payload.span, from: NodeID(node))
    }

    @Test func `a transfer goes from the old leader to the new one, which says that it leads`()
        throws
    {
        var cluster = ScriptedCluster()
        cluster.lead(1, term: 1)
        ask(&cluster)
        #expect(cluster.turn().map { "\($0.node) \($0.1)" } == ["1 clusterCommand"])
        try reply(.unknown, from: 1, &cluster)
        cluster.lead(1, term: 1, serves: false)
        #expect(cluster.turn().isEmpty)
        cluster.lead(2, term: 2)
        #expect(cluster.turn().map(\.node) == [2])
        try reply(.leads(NodeID(2), Term(2)), from: 2, &cluster)
        #expect(cluster.delivered() == ["7 leads(2, 2)"])
        #expect(cluster.client.isIdle)
    }

    @Test func `what is so before anybody began is told apart`() throws {
        var cluster = ScriptedCluster()
        cluster.lead(2, term: 1)
        ask(&cluster)
        _ = cluster.turn()
        try reply(.leads(NodeID(2), Term(1)), from: 2, &cluster)
        #expect(cluster.delivered() == ["7 leads(2, 1), as it was"])
    }

    @Test func `a lost link, no answer and none at all end as unknown, unknown and none`() {
        var cluster = ScriptedCluster()
        ask(&cluster)
        #expect(cluster.client.nextDeadline() != nil)
        _ = cluster.turn(after: ScriptedCluster.deadline)
        cluster.lead(1, term: 1)
        ask(&cluster)
        _ = cluster.turn()
        _ = cluster.turn(after: ScriptedCluster.deadline)
        ask(&cluster)
        _ = cluster.turn()
        cluster.client.lost(NodeID(1))
        _ = cluster.turn(after: ScriptedCluster.deadline)
        #expect(cluster.delivered() == ["7 none", "7 unknown", "7 unknown"])
    }

    private func post(_ body: String, token: String) -> TestRequest {
        TestRequest(
            target: "/v1/cluster/transfer", headers: [("Authorization", "Bearer \(token)")],
            body: Array(body.utf8))
    }

    @Test func `only administrators move leadership, and say whereto`() throws {
        var gateway = TestGateway()
        let admin = TestGateway.administrator.text
        func code(_ request: TestRequest) -> Int? {
            guard case .answer(let answer) = gateway.admit(request).admission else { return nil }
            return answer.status
        }
        #expect(code(post("{\"node\":2}", token: TestGateway.application.text)) == 403)
        #expect(code(post("", token: admin)) == 400)
        for value in ["\"2\"", "0", "-1", "1.5", "4294967296", "null"] {
            #expect(code(post("{\"node\":\(value)}", token: admin)) == 400, "\(value)")
        }
        guard
            case .cluster(.transfer(to: NodeID(2)), let author) = gateway.admit(
                post("{\"node\":2}", token: admin)
            ).admission
        else {
            Issue.record("not admitted")
            return
        }
        #expect(author == TestGateway.administrator.row.id)
    }

    private func admit(_ path: String, _ body: String?, _ token: String) -> Admission {
        var gateway = TestGateway()
        return gateway.admit(
            TestRequest(
                method: body == nil ? "GET" : "POST", target: "/v1/cluster/members" + path,
                headers: [("Authorization", "Bearer \(token)")], body: Array((body ?? "").utf8))
        ).admission
    }

    @Test(
        arguments: [
            ("", nil, ClusterCommand.Action.members),
            (
                "", "{\"node\":4,\"address\":\"n4.example:7401\"}",
                .change(.add(NodeID(4), address: "n4.example:7401"))
            ),
            ("/promote", "{\"node\":4}", .change(.promote(NodeID(4)))),
            ("/remove", "{\"node\":4}", .change(.remove(NodeID(4)))),
        ] as [(String, String?, ClusterCommand.Action)])
    func `only administrators ask for members and change them`(
        path: String, body: String?, action: ClusterCommand.Action
    ) {
        guard case .cluster(action, _) = admit(path, body, TestGateway.administrator.text) else {
            Issue.record("not admitted: \(path)")
            return
        }
        guard case .answer(let answer) = admit(path, body, TestGateway.application.text) else {
            Issue.record("admitted: \(path)")
            return
        }
        #expect(answer.status == 403)
    }

    @Test(arguments: [
        "{\"node\":4}", "{\"address\":\"a:1\"}", "{\"node\":4,\"address\":\"a\"}",
        "{\"node\":4,\"address\":\":1\"}", "{\"node\":4,\"address\":\"a:0\"}",
        "{\"node\":4,\"address\":\"a:70000\"}", "{\"node\":4,\"address\":\"a b:1\"}",
        "{\"node\":4,\"address\":\"a:1,b:1\"}", "{\"node\":4,\"address\":7}",
    ])
    func `an address that cannot be one is refused before anybody tries it`(body: String) {
        guard case .answer(let answer) = admit("", body, TestGateway.administrator.text) else {
            Issue.record("admitted: \(body)")
            return
        }
        #expect(answer.status == 400)
    }

    @Test func `a gateway follows the members, and sends again what went to one that is none`() {
        var cluster = ScriptedCluster()
        cluster.lead(1, term: 1)
        ask(&cluster)
        #expect(cluster.turn().map(\.node) == [1])
        cluster.client.follow([NodeID(2), NodeID(4)])
        #expect(cluster.client.nodes.map(\.id) == [NodeID(2), NodeID(4)])
        #expect(cluster.turn().isEmpty, "nobody leads yet")
        cluster.client.opened(NodeID(4))
        cluster.lead(4, term: 2)
        #expect(cluster.turn().map(\.node) == [4])
    }

    static let members: MemberReport = {
        var learner = NodeStatus.Member(id: NodeID(4), address: "n4:1", durable: LogIndex(3))
        learner.role = .learner
        learner.incarnation = Identifier(high: 1, low: 0)
        return MemberReport(
            index: LogIndex(7), lastIndex: LogIndex(9),
            members: [.init(id: NodeID(1), address: "n1:1", durable: LogIndex(9)), learner])
    }()

    static let answers: [(ClusterReply.Outcome, status: Int, contains: String)] = [
        (.leads(NodeID(2), Term(5)), 200, "{\"leader\":2,\"term\":5,\"already\":true}"),
        (
            .sealed(through: LogIndex(8), next: Sequence(5)), 200,
            "{\"sealed_through\":8,\"next_sequence\":5}"
        ),
        (.refused(.notAllowed, detail: "d"), 403, "permission-denied"),
        (.refused(.unknownMember, detail: "d"), 404, "unknown-member"),
        (.refused(.underWay, detail: "d"), 409, "under-way"),
        (.refused(.unreachable, detail: "d"), 409, "member-unreachable"),
        (.refused(.lagging, detail: "d"), 409, "member-lags"),
        (.refused(.abandoned, detail: "d"), 409, "transfer-abandoned"),
        (.refused(.alreadyMember, detail: "d"), 409, "already-member"),
        (.refused(.lastVoter, detail: "d"), 409, "last-voter"),
        (.refused(.losesQuorum, detail: "d"), 409, "would-lose-quorum"),
        (.refused(.full, detail: "d"), 409, "too-many-members"),
        (.members(members), 200, "{\"entry\":7,\"voters\":1,\"members\":[{\"id\":1,"),
        (
            .members(members), 200,
            "\"member\":\"learner\",\"incarnation\":\"01000000000000000000000000000000\","
                + "\"disk_went_back\":false,\"reachable\":false,\"durable_index\":3,\"lag_entries\":6"
        ),
        (.none, 503, "not-ready"), (.unknown, 503, "may have been begun"),
    ]

    @Test(arguments: answers.indices)
    func `every end of a transfer has its answer`(place: Int) {
        let (outcome, status, text) = Self.answers[place]
        let answer = TestGateway().core.answer(outcome, wasSo: true, requestID: "r")
        #expect(answer.status == status)
        #expect(String(decoding: answer.body, as: UTF8.self).contains(text))
    }

    @Test func `a piece of a node's files is asked of that node, and answered as it comes`() throws
    {
        var cluster = ScriptedCluster()
        let exchange = ExchangeID(9)
        cluster.client.fetch(.manifest, from: NodeID(2), exchange: exchange, now: cluster.now)
        let frame = try #require(cluster.client.frames.last)
        #expect(frame.node == NodeID(2) && frame.bytes[4] == FrameKind.fetch.rawValue)
        let asked = try Fetch(Frame.headerByteCount..<frame.bytes.count, frame.bytes.span)
        #expect(asked.item == .manifest)
        var payload: [UInt8] = []
        Fetched(id: asked.id, outcome: .found, bytes: [1, 2]).append(to: &payload)
        try cluster.client.fetched(0..<payload.count, payload.span, from: NodeID(3))
        #expect(cluster.client.deliveries.isEmpty, "it was not asked")
        try cluster.client.fetched(0..<payload.count, payload.span, from: NodeID(2))
        guard case .fetched(exchange, let fetched) = cluster.client.deliveries.last else {
            Issue.record("\(cluster.client.deliveries)")
            return
        }
        let answer = TestGateway().core.answer(fetched, requestID: "r")
        #expect(answer.status == 200 && answer.body == [1, 2])
        let absent = TestGateway().core.answer(Fetched(id: 1, outcome: .absent), requestID: "r")
        let damaged = TestGateway().core.answer(Fetched(id: 1, outcome: .damaged), requestID: "r")
        #expect(absent.status == 404 && damaged.status == 409)
    }

    @Test func `a node that is lost, or silent, leaves no piece unanswered`() {
        var cluster = ScriptedCluster()
        cluster.client.fetch(.manifest, from: NodeID(2), exchange: ExchangeID(1), now: cluster.now)
        cluster.client.lost(NodeID(2))
        cluster.client.fetch(.manifest, from: NodeID(2), exchange: ExchangeID(2), now: cluster.now)
        cluster.client.fetch(.manifest, from: NodeID(3), exchange: ExchangeID(3), now: cluster.now)
        #expect(cluster.client.nextDeadline() != nil)
        cluster.client.endTurn(now: cluster.now.advanced(byNanoseconds: 60_000_000_000))
        let ended = cluster.client.deliveries.compactMap { delivery -> UInt64? in
            if case .fetched(let exchange, nil) = delivery { exchange.value } else { nil }
        }
        #expect(ended == [1, 2, 3] && cluster.client.isIdle)
        #expect(TestGateway().core.answer(Fetched?.none, requestID: "r").status == 503)
    }
}
