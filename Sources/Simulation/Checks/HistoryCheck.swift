/// All that must hold between what clients were told and what the log is in the end.
enum HistoryCheck {
    static func check(_ history: History, against log: LogAudit) throws(Violation) {
        try EventCheck(history: history, log: log).check()
        try OrderCheck(history: history).check()
        try ReadCheck(history: history, log: log).check()
        try CommandCheck(history: history, log: log).check()
    }
}
