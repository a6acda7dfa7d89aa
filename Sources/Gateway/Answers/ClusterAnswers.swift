import Bytes
import JSON
import Ledger
package import PeerWire
package import Records

// Answers that are made of what the cluster said.

extension GatewayCore {
    /// The answer to one event that was decided.
    package func answer(
        _ receipt: Receipt, _ event: EventAdmission, requestID: String
    ) -> Answer {
        do throws(Refusal) {
            try judge(receipt)
        } catch {
            return refuse(error, on: .compatible, requestID: requestID)
        }
        var body: [UInt8] = []
        body.reserveCapacity(512)
        let status: Status = event.isMailLate ? .mandrillEmailFailed : .actionSuccessful
        Envelope.appendSuccess(
            status, message: Self.message(receipt, status), views: event.views,
            requestID: requestID, to: &body
        ) { Envelope.appendReceipt(receipt, uniqueID: event.uniqueID, to: &$0) }
        return Answer(status: status.code, contentType: Envelope.contentType, body: body)
    }

    /// One line of a bulk answer.
    package func appendLine(
        _ receipt: Receipt, uniqueID: [UInt8], isMailLate: Bool = false,
        to output: inout [UInt8]
    ) {
        do throws(Refusal) {
            try judge(receipt)
            let status: Status = isMailLate ? .mandrillEmailFailed : .actionSuccessful
            Envelope.appendSuccess(
                status, message: Self.message(receipt, status), requestID: nil, to: &output
            ) { Envelope.appendReceipt(receipt, uniqueID: uniqueID, to: &$0) }
        } catch {
            Envelope.appendRefusal(error, requestID: nil, to: &output)
        }
        output.append(0x0A)
    }

    /// One line of a bulk answer, for an event that was refused.
    package func appendLine(_ refusal: Refusal, to output: inout [UInt8]) {
        Envelope.appendRefusal(refusal, requestID: nil, to: &output)
        output.append(0x0A)
    }

    private static func message(_ receipt: Receipt, _ status: Status) -> String {
        if status == .mandrillEmailFailed { return status.message }
        return receipt.verdict == .appended ? "Recorded." : "Already recorded."
    }

    private func judge(_ receipt: Receipt) throws(Refusal) {
        switch receipt.verdict {
        case .appended, .duplicate, .erased: return
        case .tokenRefused: throw Refusal(.invalidToken)
        case .conflict:
            let detail =
                receipt.revision == .zero
                ? "there is no revision yet" : "the current revision is \(receipt.revision)"
            throw Refusal.judging([ParameterFault("expected_revision", .conflict, detail)])
        }
    }

    /// The answer to a read of one event or its history; `rows` are lines.
    package func answer(
        _ head: RowsHead, rows: [UInt8], _ read: ReadAdmission, requestID: String
    ) -> Answer {
        if let refusal = Self.refusal(of: read.after, head) {
            return refuse(refusal, on: read.surface, requestID: requestID)
        }
        guard head.outcome == .found else {
            return unanswered(head, rows: rows, read, requestID: requestID)
        }
        guard head.next >= head.end else {
            return refuse(
                Refusal.judging([
                    ParameterFault(
                        "unique_id", .tooLong,
                        "its history is too long for one answer: GET /v1/events?unique_id= "
                            + "replays it")
                ]), on: read.surface, requestID: requestID)
        }
        var body: [UInt8] = []
        let headers = staleHeaders(head, isStale: read.stale)
        let results = rows.split(separator: 0x0A)
        if read.surface == .native {
            if read.history {
                for row in results { body.append(contentsOf: row + [0x0A]) }
                return Answer(
                    status: 200, contentType: "application/x-ndjson", body: body, headers: headers)
            }
            body.append(contentsOf: results[0])
            return Answer(
                status: 200, contentType: "application/json; charset=utf-8", body: body,
                headers: headers)
        }
        Envelope.appendSuccess(
            message: "Found.", views: read.views, requestID: requestID, to: &body
        ) { output in
            guard read.history else { return output.append(contentsOf: results[0]) }
            JSONWriter.appendRaw("{\"results\":[", to: &output)
            for (place, row) in results.enumerated() {
                if place > 0 { output.append(UInt8(ascii: ",")) }
                output.append(contentsOf: row)
            }
            JSONWriter.appendRaw("]}", to: &output)
        }
        return Answer(
            status: 200, contentType: Envelope.contentType, body: body, headers: headers)
    }

    private func unanswered(
        _ head: RowsHead, rows: [UInt8], _ read: ReadAdmission, requestID: String
    ) -> Answer {
        if head.outcome == .damaged {
            let text = String(decoding: rows, as: UTF8.self)
            return refuse(
                Refusal(.applicationCrash, "What is stored there is damaged: \(text)"),
                on: read.surface, requestID: requestID)
        }
        if read.surface == .native {
            return problem(404, "not-found", "No event has this unique_id.", requestID)
        }
        let parameter = read.revision == nil ? "unique_id" : "revision"
        return refuse(
            Refusal.judging([ParameterFault(parameter, .unknownID, "no such event")]),
            on: .compatible, requestID: requestID)
    }

    /// Why a read after this sequence is not answered: not even the leader has it.
    package static func refusal(of after: Sequence?, _ head: RowsHead) -> Refusal? {
        guard let after, after >= head.end else { return nil }
        return Refusal.judging([
            ParameterFault("after", .unknownID, "nothing is recorded under this sequence yet")
        ])
    }

    /// `Daybook-Stale-Age` for reads that asked for it.
    package func staleHeaders(_ head: RowsHead, isStale: Bool) -> [(StaticString, String)] {
        guard isStale else { return [] }
        let seconds = Double(head.staleMilliseconds) / 1_000
        return [("Daybook-Stale-Age", "\(seconds)")]
    }

    /// The answer to a directory command on the compatible surface.
    func compatibleAnswer(
        _ outcome: CommandReply.Outcome, _ command: CommandAdmission, requestID: String
    ) -> Answer {
        switch outcome {
        case .done(let answer): return done(answer, command, requestID: requestID)
        case .unknownToken:
            return refuse(
                Refusal.judging([ParameterFault("id", .unknownID, "no such token")]),
                on: .compatible, requestID: requestID)
        case .refused:
            return refuse(
                Refusal(
                    .permissionDenied,
                    "Only an administrator's token may do this, and not to itself."),
                on: .compatible, requestID: requestID)
        case .unknownID:
            return refuse(fault: .unknownID, "nothing has this unique_id", requestID)
        case .held: return refuse(fault: .notAllowed, "it is under a legal hold", requestID)
        case .closed: return refuse(fault: .notAllowed, "it was erased", requestID)
        case .full: return refuse(fault: .notAllowed, "there are too many holds", requestID)
        case .objected(let objection):
            return refuse(Refusal(objection), on: .compatible, requestID: requestID)
        case .running:
            return refuse(
                Refusal(.notReady, "A run of compactions is under way already."),
                on: .compatible, requestID: requestID)
        case .none, .unknown:
            return refuse(
                Refusal(.notReady, isOutcomeUnknown: outcome == .unknown), on: .compatible,
                requestID: requestID)
        }
    }

    private func refuse(
        fault: ParameterFault.Kind, _ detail: String, _ requestID: String
    ) -> Answer {
        refuse(
            Refusal.judging([ParameterFault("unique_id", fault, detail)]), on: .compatible,
            requestID: requestID)
    }
}
