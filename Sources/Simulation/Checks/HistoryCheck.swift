/// All that must hold between what clients were told and what the log is in the end.
enum HistoryCheck {
    /// `mayMeetDamage`: files of the archive were damaged, and reads may have said so.
    static func check(
        _ history: History, against log: LogAudit, mayMeetDamage: Bool = false
    ) throws(Violation) {
        try EventCheck(history: history, log: log).check()
        try OrderCheck(history: history).check()
        try ReadCheck(history: history, log: log, mayMeetDamage: mayMeetDamage).check()
        try CommandCheck(history: history, log: log).check()
        try ErasureCheck(history: history, log: log).check()
    }
}
