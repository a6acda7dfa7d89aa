import Bytes
import HTTPWire
import JSON
import PeerWire
import Records

// Commands of retention: compactions, legal holds, erasures. Only administrators come this far.

extension GatewayCore {
    /// Bytes of a reason.
    static let reasonBytes = 1_000
    private static let policyDetail = "latest, or newer-than:DAYS with 1 to 36500 days"

    /// `{"policy":"latest"}`, or with `"dry_run":true` and `"from":PLACE` a page of what it would do.
    mutating func admitCompaction(
        _ credential: Credential, _ body: Range<Int>, _ bytes: Span<UInt8>, _ request: Identifier
    ) throws(Refusal) -> Admission {
        try requireAdministrator(credential)
        try set.read(bytes, body: body, query: nil)
        var faults: [ParameterFault] = []
        let order = order(&faults)
        beginFaults()
        let isDry = flag(.dryRun) ?? false
        faults += reading.faults
        let place = place(bytes, &faults)
        guard faults.isEmpty else { throw Refusal.judging(faults) }
        if isDry {
            return .cluster(.estimate(order, from: place), author: credential.id)
        }
        var details: [UInt8] = []
        var object = JSONObjectWriter(to: &details)
        object.member("policy", policyText(), to: &details)
        object.close(to: &details)
        return command(.compact(order), "compactions/create", "", details, credential, request)
    }

    mutating func admitHold(
        _ credential: Credential, _ body: Range<Int>, _ bytes: Span<UInt8>, _ request: Identifier
    ) throws(Refusal) -> Admission {
        try requireAdministrator(credential)
        try set.read(bytes, body: body, query: nil)
        let (uniqueID, reason) = try subjectAndReason()
        return command(
            .addHold(NamedID(uniqueID: uniqueID), reason: reason), "holds/create", "",
            Self.details(reason), credential, request)
    }

    mutating func admitHoldRemoval(
        _ credential: Credential, _ uniqueID: [UInt8], _ request: Identifier
    ) throws(Refusal) -> Admission {
        try requireAdministrator(credential)
        guard uniqueID.count <= Limits.shortStringBytes else {
            throw Refusal.judging([
                ParameterFault("unique_id", .tooLong, "\(Limits.shortStringBytes) bytes at most")
            ])
        }
        return command(
            .removeHold(NamedID(uniqueID: uniqueID)), "holds/delete", "", Array("{}".utf8),
            credential, request)
    }

    /// Takes what `set` holds: the body was read.
    mutating func admitErasure(
        _ credential: Credential, on surface: Route.Surface, _ request: Identifier
    ) throws(Refusal) -> Admission {
        try requireAdministrator(credential)
        let (uniqueID, reason) = try subjectAndReason()
        return command(
            .erase(uniqueID: uniqueID, reason: reason), "audit_events_fmp/erase", "",
            Self.details(reason), credential, request, on: surface)
    }

    /// The leader writes the mark of the unique_id into the record's subject.
    private func command(
        _ change: DirectoryCommand.Change, _ action: String, _ subject: String,
        _ details: [UInt8], _ credential: Credential, _ request: Identifier,
        on surface: Route.Surface = .native
    ) -> Admission {
        var record: [UInt8] = []
        RecordEncoder.appendAdministration(
            action: action, subject: subject, details: details,
            application: credential.application,
            writtenBy: String(decoding: credential.writtenBy, as: UTF8.self), to: &record)
        let command = DirectoryCommand(
            request: request, author: credential.id, change: change)
        return .command(CommandAdmission(command: command, record: record, surface: surface))
    }

    private static func details(_ reason: String) -> [UInt8] {
        var details: [UInt8] = []
        var object = JSONObjectWriter(to: &details)
        object.member("reason", reason, to: &details)
        object.close(to: &details)
        return details
    }

    // MARK: Parameters

    private func policyText() -> String {
        guard case .text(let range) = set[.policy] else { return "latest" }
        return range.isEmpty ? "latest" : String(decoding: set.text[range], as: UTF8.self)
    }

    private func order(_ faults: inout [ParameterFault]) -> CompactionOrder {
        let latest = CompactionOrder(policy: .latest, sealsFirst: true)
        if case .value = set[.policy] {
            faults.append(ParameterFault("policy", .wrongType, "a string"))
            return latest
        }
        guard let order = CompactionOrder(policyText(), sealsFirst: true) else {
            faults.append(ParameterFault("policy", .unrecognized, Self.policyDetail))
            return latest
        }
        return order
    }

    private func place(_ bytes: Span<UInt8>, _ faults: inout [ParameterFault]) -> UInt64 {
        switch set[.from] {
        case .absent: return 0
        case .value(let node):
            if let number = set.document.integer(node, from: bytes), number >= 0 {
                return UInt64(number)
            }
        case .text: break
        }
        faults.append(ParameterFault("from", .wrongType, "a whole number from 0"))
        return 0
    }

    private func subjectAndReason() throws(Refusal) -> (uniqueID: [UInt8], reason: String) {
        var faults: [ParameterFault] = []
        let uniqueID = required(.uniqueID, limit: Limits.shortStringBytes, &faults)
        let reason = required(.reason, limit: Self.reasonBytes, &faults)
        guard faults.isEmpty else { throw Refusal.judging(faults) }
        return (uniqueID, String(decoding: reason, as: UTF8.self))
    }

    private func required(
        _ name: ParameterName, limit: Int, _ faults: inout [ParameterFault]
    ) -> [UInt8] {
        let parameter = name.text
        switch set[name] {
        case .absent: faults.append(ParameterFault(parameter, .missing, "it is required"))
        case .value: faults.append(ParameterFault(parameter, .wrongType, "a string"))
        case .text(let range) where range.isEmpty:
            faults.append(ParameterFault(parameter, .empty, "at least one character"))
        case .text(let range) where range.count > limit:
            faults.append(ParameterFault(parameter, .tooLong, "\(limit) bytes at most"))
        case .text(let range): return Array(set.text[range])
        }
        return []
    }
}
