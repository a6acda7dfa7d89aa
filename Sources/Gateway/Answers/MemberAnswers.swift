import JSON
import PeerWire
import Records

extension GatewayCore {
    /// The members, as their leader has told them.
    func answer(_ report: MemberReport, wasSo: Bool) -> Answer {
        var body: [UInt8] = []
        var object = JSONObjectWriter(to: &body)
        object.member("entry", report.index.value, to: &body)
        object.member("voters", UInt64(report.members.count { $0.role == .voter }), to: &body)
        object.name("members", to: &body)
        var array = JSONArrayWriter(to: &body)
        for member in report.members {
            array.element(to: &body)
            MemberAnswer.append(member, lastIndex: report.lastIndex, to: &body)
        }
        array.close(to: &body)
        object.close(to: &body)
        return Answer(status: 200, contentType: "application/json; charset=utf-8", body: body)
    }
}

enum MemberAnswer {
    static func append(
        _ member: NodeStatus.Member, lastIndex: LogIndex, to output: inout [UInt8]
    ) {
        var object = JSONObjectWriter(to: &output)
        object.member("id", UInt64(member.id.value), to: &output)
        object.member("address", member.address, to: &output)
        append(member, &object, to: &output)
        object.member("reachable", member.isReachable, to: &output)
        object.member("durable_index", member.durable.value, to: &output)
        let lag = lastIndex.value - min(member.durable.value, lastIndex.value)
        object.member("lag_entries", lag, to: &output)
        object.close(to: &output)
    }

    /// What the status of a node has of it too.
    static func append(
        _ member: NodeStatus.Member, _ object: inout JSONObjectWriter, to output: inout [UInt8]
    ) {
        object.member("member", slug(of: member.role), to: &output)
        object.name("incarnation", to: &output)
        if member.incarnation == .unknown {
            JSONWriter.appendNull(to: &output)
        } else {
            JSONWriter.append(member.incarnation.description, to: &output)
        }
        object.member("disk_went_back", member.isDistrusted, to: &output)
    }

    static func slug(of role: Membership.Role) -> String {
        switch role {
        case .voter: "voter"
        case .learner: "learner"
        }
    }
}
