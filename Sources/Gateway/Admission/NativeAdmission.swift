import Bytes
import HTTPWire
import PeerWire
import Records

// The native surface: the token comes by Bearer alone; parameters of reads by the query string, of
// commands in the body.

extension GatewayCore {
    /// The credential of a native request.
    mutating func nativeCredential(
        _ head: HTTPHead, _ bytes: Span<UInt8>, for route: Route
    ) throws(Refusal) -> Credential {
        guard let text = bearer(head, bytes) else {
            throw Refusal(.invalidToken, "Send the token as `Authorization: Bearer TOKEN`.")
        }
        return try check(text, for: route)
    }

    mutating func admitNative(
        _ route: Route, _ head: HTTPHead, _ body: Range<Int>, _ bytes: Span<UInt8>,
        _ credential: Credential, _ entropy: () -> [UInt8]
    ) throws(Refusal) -> Admission {
        let query = try NativeQuery(head.query, bytes, of: route)
        switch route.action {
        case .appendEvents:
            return .bulk(credential)
        case .replayEvents: return try admitReplay(query, head, bytes)
        case .nativeEvent:
            let uniqueID = try subject(route, head, bytes)
            var faults: [ParameterFault] = []
            let history = flag(query, "history", &faults)
            let stale = flag(query, "stale", &faults)
            let after = after(query, isStale: stale, &faults)
            guard faults.isEmpty else { throw Refusal.judging(faults) }
            return .read(
                ReadAdmission(
                    uniqueID: uniqueID, revision: nil, history: history, surface: .native,
                    stale: stale, after: after, views: Views()))
        case .cluster: return .clusterStatus
        case .transfer: return try admitTransfer(credential, body, bytes)
        case .seal:
            try requireAdministrator(credential)
            return .cluster(.seal, author: credential.id)
        case .clusterFiles: return try admitFiles(credential, query)
        case .indexMembers:
            try requireAdministrator(credential)
            return .cluster(.members, author: credential.id)
        case .addMember, .promoteMember, .removeMember:
            return try admitMemberChange(route, credential, body, bytes)
        case .compact, .indexHolds, .addHold, .removeHold, .eraseNative:
            let request = requestIdentity(head, bytes, credential, Entropy(entropy()))
            return try admitRetention(route, query, head, body, bytes, credential, request)
        default: preconditionFailure("\(route.label) is not of the native surface")
        }
    }

    private mutating func admitRetention(
        _ route: Route, _ query: NativeQuery, _ head: HTTPHead, _ body: Range<Int>,
        _ bytes: Span<UInt8>, _ credential: Credential, _ request: Identifier
    ) throws(Refusal) -> Admission {
        switch route.action {
        case .compact: return try admitCompaction(credential, body, bytes, request)
        case .indexHolds:
            try requireAdministrator(credential)
            return .cluster(
                .holds(after: query.text("after") ?? []), author: credential.id)
        case .addHold: return try admitHold(credential, body, bytes, request)
        case .removeHold:
            return try admitHoldRemoval(
                credential, try subject(route, head, bytes), request)
        case .eraseNative:
            try set.read(bytes, body: body, query: nil)
            return try admitErasure(credential, on: .native, request)
        default: preconditionFailure("\(route.label) is no command of retention")
        }
    }

    /// The unique_id that is the last segment of the path.
    private func subject(
        _ route: Route, _ head: HTTPHead, _ bytes: Span<UInt8>
    ) throws(Refusal) -> [UInt8] {
        let segment = (head.path.lowerBound + route.path.utf8CodeUnitCount)..<head.path.upperBound
        guard let uniqueID = Self.percentDecoded(bytes.copy(segment)) else {
            throw Refusal(.invalidParam, "The path is not well-formed percent-encoding.")
        }
        return uniqueID
    }

    private func admitReplay(
        _ query: NativeQuery, _ head: HTTPHead, _ bytes: Span<UInt8>
    ) throws(Refusal) -> Admission {
        var faults: [ParameterFault] = []
        judgeFormat(query, head, bytes, &faults)
        var filter = EventFilter()
        let from = sequence(query, "from", &faults) ?? .zero
        let until = sequence(query, "until", &faults)
        filter.uniqueID = query.text("unique_id")
        filter.scriptName = query.text("script_name")
        filter.hostName = query.text("host_name")
        filter.fileName = query.text("file_name")
        filter.since = time(query, "since", &faults)
        filter.untilTime = time(query, "until_time", &faults)
        switch query.text("resource").map({ String(decoding: $0, as: UTF8.self) }) {
        case nil, "audit_events_fmp": filter.resources = .auditEvents
        case "administration": filter.resources = .administration
        case "all": filter.resources = .all
        default:
            faults.append(
                ParameterFault(
                    "resource", .unrecognized, "audit_events_fmp, administration or all"))
        }
        let (follow, stale) = (flag(query, "follow", &faults), flag(query, "stale", &faults))
        let after = after(query, isStale: stale, &faults)
        guard faults.isEmpty else { throw Refusal.judging(faults) }
        let request = PageRequest(
            from: from, until: until, filter: filter, byteLimit: GatewayLimits.pageBytes,
            waits: false)
        return .replay(
            ReplayAdmission(page: request, follow: follow, stale: stale, after: after))
    }

    /// The sequence of an event that the reader knows to be recorded.
    private func after(
        _ query: NativeQuery, isStale: Bool, _ faults: inout [ParameterFault]
    ) -> Sequence? {
        let after = sequence(query, "after", &faults)
        if after != nil, isStale {
            faults.append(ParameterFault("after", .notAllowed, "not together with stale"))
        }
        return after
    }

    /// NDJSON is what there is; whoever asks for another format is told so.
    private func judgeFormat(
        _ query: NativeQuery, _ head: HTTPHead, _ bytes: Span<UInt8>,
        _ faults: inout [ParameterFault]
    ) {
        if let format = query.text("format"), !format.elementsEqual("ndjson".utf8) {
            faults.append(ParameterFault("format", .unrecognized, "ndjson"))
        }
        if let accept = head.value("accept", in: bytes),
            bytes.equals("text/event-stream".utf8Span.span, in: accept)
        {
            faults.append(ParameterFault("Accept", .unrecognized, "application/x-ndjson"))
        }
    }

    private func flag(
        _ query: NativeQuery, _ name: StaticString, _ faults: inout [ParameterFault]
    ) -> Bool {
        switch query.text(name).map({ String(decoding: $0, as: UTF8.self) }) {
        case nil, "false": return false
        case "true": return true
        default:
            faults.append(ParameterFault("\(name)", .unrecognized, "true or false"))
            return false
        }
    }

    private func sequence(
        _ query: NativeQuery, _ name: StaticString, _ faults: inout [ParameterFault]
    ) -> Sequence? {
        guard let text = query.text(name) else { return nil }
        if text.allSatisfy({ (0x30...0x39).contains($0) }),
            let value = UInt64(String(decoding: text, as: UTF8.self)),
            value <= Sequence.greatest.value
        {
            return Sequence(value)
        }
        faults.append(ParameterFault("\(name)", .wrongType, "a whole number from 0"))
        return nil
    }

    private func time(
        _ query: NativeQuery, _ name: StaticString, _ faults: inout [ParameterFault]
    ) -> Timestamp? {
        guard let text = query.text(name) else { return nil }
        if let time = times.timestamp(text.span, 0..<text.count) { return time }
        faults.append(ParameterFault("\(name)", .notATime, "RFC 3339"))
        return nil
    }

    /// Decodes `%XX`; a plus sign stands for itself in a path.
    static func percentDecoded(_ text: [UInt8]) -> [UInt8]? {
        var decoded: [UInt8] = []
        var offset = 0
        while offset < text.count {
            if text[offset] == UInt8(ascii: "%") {
                guard offset + 2 < text.count,
                    let byte = Hex.decode(text.span.extracting((offset + 1)..<(offset + 3)))
                else { return nil }
                decoded.append(contentsOf: byte)
                offset += 3
            } else {
                decoded.append(text[offset])
                offset += 1
            }
        }
        let isText = UTF8Validation.firstDefect(decoded.span, in: 0..<decoded.count) == nil
        return isText && !decoded.isEmpty ? decoded : nil
    }
}
