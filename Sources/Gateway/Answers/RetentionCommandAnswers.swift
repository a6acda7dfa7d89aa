import JSON
import Ledger
package import PeerWire
import Records

// Answers to commands of retention on the native surface.

extension GatewayCore {
    /// The answer to a directory command on the surface that it came by.
    package func answer(
        _ outcome: CommandReply.Outcome, _ command: CommandAdmission, requestID: String
    ) -> Answer {
        guard command.surface == .native else {
            return compatibleAnswer(outcome, command, requestID: requestID)
        }
        switch outcome {
        case .done(let answer):
            var body: [UInt8] = []
            Self.append(answer, secret: nil, to: &body)
            return Self.json(body)
        case .unknownToken: return problem(404, "not-found", "No such token.", requestID)
        case .unknownID:
            return problem(404, "not-found", "No event, or no hold, has this unique_id.", requestID)
        case .held:
            return problem(
                409, "held", "It is under a legal hold, which has to be removed first.", requestID)
        case .closed: return problem(409, "erased", "It was erased.", requestID)
        case .full:
            return problem(409, "too-many-holds", "There are as many as there may be.", requestID)
        case .objected(let objection):
            return refuse(Refusal(objection), on: .native, requestID: requestID)
        case .running:
            return problem(409, "under-way", "A run of compactions is not over.", requestID)
        case .refused:
            return refuse(
                Refusal(.permissionDenied, "Only an administrator's token may do this."),
                on: .native, requestID: requestID)
        case .none, .unknown:
            return refuse(
                Refusal(.notReady, isOutcomeUnknown: outcome == .unknown), on: .native,
                requestID: requestID)
        }
    }

    /// What was done, as an object.
    static func append(_ answer: CommandAnswer, secret: String?, to output: inout [UInt8]) {
        var object = JSONObjectWriter(to: &output)
        switch answer {
        case .created(let id):
            object.member("id", id.description, to: &output)
            if let secret, secret.contains("_\(id)_") {
                object.member("token", secret, to: &output)
            }
        case .revoked(let id):
            object.member("id", id.description, to: &output)
            object.member("revoked", true, to: &output)
        case .compacting(let run): object.member("run", run.value, to: &output)
        case .held: object.member("held", true, to: &output)
        case .released: object.member("held", false, to: &output)
        case .user(let id): object.member("id", id.description, to: &output)
        case .session(let id): object.member("id", id.description, to: &output)
        case .changed: object.member("changed", true, to: &output)
        case .erased(let events):
            object.member("erased", true, to: &output)
            object.member("events", events, to: &output)
        }
        object.close(to: &output)
    }

    static func json(_ body: [UInt8]) -> Answer {
        Answer(status: 200, contentType: "application/json; charset=utf-8", body: body)
    }

    /// A page of what a compaction would do.
    func answer(_ estimate: CompactionEstimate) -> Answer {
        var body: [UInt8] = []
        var object = JSONObjectWriter(to: &body)
        object.member("dry_run", true, to: &body)
        object.name("segments", to: &body)
        var array = JSONArrayWriter(to: &body)
        for row in estimate.rows {
            array.element(to: &body)
            var segment = JSONObjectWriter(to: &body)
            segment.member("first_index", row.firstIndex.value, to: &body)
            segment.member("generation", UInt64(row.generation), to: &body)
            segment.member("events_kept", row.kept, to: &body)
            CompactionAnswer.append(row.figures, &segment, to: &body)
            segment.close(to: &body)
        }
        array.close(to: &body)
        object.name("next", to: &body)
        if estimate.next == 0 {
            JSONWriter.appendNull(to: &body)
        } else {
            JSONWriter.append(estimate.next, to: &body)
        }
        object.close(to: &body)
        return Self.json(body)
    }

    /// A page of the legal holds.
    func answer(_ page: HoldsPage) -> Answer {
        var body: [UInt8] = []
        var object = JSONObjectWriter(to: &body)
        object.name("holds", to: &body)
        var array = JSONArrayWriter(to: &body)
        for row in page.rows {
            array.element(to: &body)
            var hold = JSONObjectWriter(to: &body)
            hold.member(
                "unique_id", String(decoding: row.uniqueID, as: UTF8.self), to: &body)
            hold.member("reason", row.reason, to: &body)
            hold.member("author", row.author.description, to: &body)
            hold.member("since", RFC3339.text(row.since), to: &body)
            hold.close(to: &body)
        }
        array.close(to: &body)
        object.member("more", page.hasMore, to: &body)
        object.close(to: &body)
        return Self.json(body)
    }
}

/// What `GET /v1/cluster` tells of compactions.
enum CompactionAnswer {
    /// The state of the log as the leader tells it.
    static func append(_ status: CompactionStatus, to output: inout [UInt8]) {
        var object = JSONObjectWriter(to: &output)
        object.name("run", to: &output)
        if let run = status.run {
            var member = JSONObjectWriter(to: &output)
            member.member("id", run.index.value, to: &output)
            member.member("policy", "\(run.policy.slug)", to: &output)
            member.member("state", run.outcome.slug, to: &output)
            member.member("started_at", RFC3339.text(run.startedAt), to: &output)
            member.member("segments", run.segments, to: &output)
            member.member("done_segments", run.done, to: &output)
            member.close(to: &output)
        } else {
            JSONWriter.appendNull(to: &output)
        }
        object.member("done_through", status.doneThrough.value, to: &output)
        object.member("pending_erasures", UInt64(status.pendingErasures), to: &output)
        object.member("holds", UInt64(status.holds), to: &output)
        object.close(to: &output)
    }

    /// One node's part.
    static func appendPart(_ status: CompactionStatus, to output: inout [UInt8]) {
        var object = JSONObjectWriter(to: &output)
        object.member("run", status.run?.index.value ?? 0, to: &output)
        object.member("stage", status.stage.slug, to: &output)
        object.member("swapped_through", status.swappedThrough.value, to: &output)
        object.member("settled", status.isSettled, to: &output)
        append(status.figures, &object, to: &output)
        object.close(to: &output)
    }

    static func append(
        _ figures: CompactionFigures, _ object: inout JSONObjectWriter, to output: inout [UInt8]
    ) {
        object.member("events_compacted", figures.compacted, to: &output)
        object.member("events_erased", figures.erased, to: &output)
        object.member("bytes_before", figures.bytesBefore, to: &output)
        object.member("bytes_after", figures.bytesAfter, to: &output)
    }
}
