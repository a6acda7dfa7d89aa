import Consensus
import Ledger
package import Records
import SegmentLog

// Mail: bookkeeping that gateways report and the leader writes down, and the clock of the log where
// nothing else is written. Gateways report again what the directory does not show.

/// What a leader has yet to write down of mail.
struct PendingMail {
    /// Reports that wait. More are reported again.
    static let limit = 4_096

    var reports: [MailReport] = []
    /// Where the newest one is in the log: one at a time, so that none is written down twice.
    var proposed = LogIndex.zero
    /// When the log's time has to go on by itself.
    var deadline: Instant?
}

extension Replica {
    /// Reports about mail, from a gateway.
    package mutating func noteMail(_ reports: [MailReport]) {
        guard serves else { return }
        for report in reports
        where mailing.reports.count < PendingMail.limit && !mailing.reports.contains(report) {
            mailing.reports.append(report)
        }
    }

    /// Proposes one entry for the reports that wait, or because time alone changes something.
    mutating func proposeMail(
        now: Instant, wall: Timestamp, into outcome: inout ReplicaOutcome
    ) {
        mailing.deadline = nil
        guard serves, mailing.proposed <= ledger.applied else { return }
        let time = timestamp(after: catalogue.lastHeader, wall: wall)
        let news = mailing.reports.filter { ledger.directory.mail.isNews($0, at: time) }
        let reports = Array(news.prefix(MailReport.limit))
        mailing.reports = Array(news.dropFirst(MailReport.limit))
        let next = ledger.nextMailTime
        guard !reports.isEmpty || next.map({ $0 <= time }) ?? false else {
            mailing.deadline = next.map { next in
                let microseconds = max(next.microseconds - time.microseconds, 1_000)
                return now.advanced(byNanoseconds: UInt64(microseconds) * 1_000)
            }
            return
        }
        closeBatch(now: now, wall: wall, into: &outcome)
        var body: [UInt8] = []
        DirectoryCommand(
            request: Identifier(high: 0, low: 0), author: TokenID(0),
            change: .directory(.mail(.reports(reports)))
        ).append(to: &body)
        let previous = catalogue.lastHeader
        mailing.proposed = catalogue.lastIndex.next
        propose(
            Entry(
                kind: .directory, term: consensus.term, after: previous, recordCount: 0,
                timestamp: timestamp(after: previous, wall: wall), body: body),
            now: now, into: &outcome)
    }
}
