package import Ledger
import Records

/// What a gateway counts of mail, for `GET /metrics`.
package struct MailMetrics: Sendable {
    package var delivered: UInt64 = 0
    package var failed: UInt64 = 0
    /// Answers that said `mandrill-email-failed`.
    package var late: UInt64 = 0

    package init() {}

    package func append(_ book: MailBook?, isDelivering: Bool, to output: inout [UInt8]) {
        var text = Exposition()
        text.metric(
            "daybook_mail_attempts_total", "counter", "Attempts to hand over mail, by outcome.")
        text.sample("{outcome=\"delivered\"}", delivered)
        text.sample("{outcome=\"failed\"}", failed)
        text.one(
            "daybook_mail_late_answers_total", "counter",
            "Answers that said mandrill-email-failed.", late)
        text.one(
            "daybook_mail_delivering", "gauge", "1 while this gateway is the one that delivers.",
            isDelivering ? 1 : 0)
        text.one(
            "daybook_mail_owed", "gauge", "Mail of the cluster that is to be handed over.",
            book?.owed.count ?? 0)
        let oldest = book?.owed.first?.owedAt.microseconds ?? 0
        text.one(
            "daybook_mail_oldest_owed_timestamp_seconds", "gauge",
            "Since when the oldest of it is owed; 0 for none.", oldest / 1_000_000)
        text.one(
            "daybook_mail_notifications_unread", "gauge", "Notifications that nobody has read.",
            book?.unreadCount ?? 0)
        output.append(contentsOf: text.text.utf8)
    }
}
