// The grammar of mail rules, line by line:
//
//   rules     = { line "\n" }
//   line      = [ "#" anything | "from =" sender | "welcome =" ("on" | "off") | "alert =" alert ]
//   sender    = address | name "<" address ">"
//   alert     = condition { "and" condition } ("->" | "→") address { "," address }
//   condition = field ("contains" | "is") quoted
//             | "longer than" duration | "no stop_time after" duration
//   duration  = digits ("s" | "min" | "h" | "d")

extension MailRules {
    /// Reads rules; throws what is wrong first.
    package init(_ source: String) throws(MailRulesDefect) {
        self.init()
        guard source.utf8.count <= Self.sourceBytes else {
            throw MailRulesDefect(
                line: 1, column: 1, reason: "more than \(Self.sourceBytes) bytes of rules")
        }
        self.source = source
        var needsSender: (line: Int, column: Int)?
        let lines = source.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
        for (place, line) in lines.enumerated() {
            var scanner = RuleScanner(Array(line), line: place + 1)
            scanner.skipSpaces()
            guard !scanner.isAtEnd, !scanner.take("#") else { continue }
            let start = (line: place + 1, column: scanner.column)
            let key = try scanner.word("from, welcome or alert")
            guard scanner.take("=") else { throw scanner.defect("= is missing behind \(key)") }
            switch key {
            case "from": try readSender(&scanner)
            case "welcome":
                let (value, column) = (try scanner.word("on or off"), scanner.wordColumn)
                guard value == "on" || value == "off" else {
                    throw scanner.defect("on or off, not \(value)", at: column)
                }
                welcomes = value == "on"
            case "alert":
                guard alerts.count < Self.alertLimit else {
                    throw scanner.defect("more than \(Self.alertLimit) alerts", at: start.column)
                }
                alerts.append(try scanner.alert())
            default:
                throw scanner.defect(
                    "\(key) is unknown: from, welcome or alert", at: start.column)
            }
            if key != "from", welcomes || !alerts.isEmpty { needsSender = needsSender ?? start }
            guard scanner.isAtEnd else {
                throw scanner.defect("\(scanner.rest) is too much here")
            }
        }
        if sender.isEmpty, let place = needsSender {
            throw MailRulesDefect(
                line: place.line, column: place.column,
                reason: "mail needs a sender: add a line such as from = Daybook <a@example.com>")
        }
    }

    private mutating func readSender(_ scanner: inout RuleScanner) throws(MailRulesDefect) {
        let start = scanner.column
        guard sender.isEmpty else { throw scanner.defect("from is there already", at: start) }
        let rest = scanner.takeRest()
        guard let open = rest.lastIndex(of: "<"), rest.hasSuffix(">") else {
            guard Self.isAddress(rest) else {
                throw scanner.defect("\(rest) is no address such as a@example.com", at: start)
            }
            sender = rest
            return
        }
        sender = String(rest[rest.index(after: open)...].dropLast())
        senderName = String(rest[..<open]).trimmed
        guard Self.isAddress(sender) else {
            throw scanner.defect("\(sender) is no address such as a@example.com", at: start)
        }
        guard senderName.utf8.count <= Self.patternBytes else {
            throw scanner.defect("a name of at most \(Self.patternBytes) bytes", at: start)
        }
    }

    /// Whether a text can be the address of somebody: what mail servers refuse is theirs to say.
    static func isAddress(_ text: String) -> Bool {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        return parts.count == 2 && parts.allSatisfy { !$0.isEmpty } && text.utf8.count <= 254
            && text.utf8.allSatisfy {
                $0 > 0x20 && $0 != 0x7F && !"<>,;:\"()[]\\".utf8.contains($0)
            }
    }
}

/// One line, read from left to right.
private struct RuleScanner {
    private let characters: [Character]
    private var place = 0
    private let line: Int
    /// Of the word that was read last.
    private(set) var wordColumn = 1

    init(_ characters: [Character], line: Int) {
        self.characters = characters
        self.line = line
    }

    var column: Int { place + 1 }
    var isAtEnd: Bool { place == characters.count }
    var rest: String { String(characters[place...]) }

    func defect(_ reason: String, at column: Int? = nil) -> MailRulesDefect {
        MailRulesDefect(line: line, column: column ?? self.column, reason: reason)
    }

    mutating func skipSpaces() {
        while place < characters.count, characters[place].isWhitespace { place += 1 }
    }

    /// Takes a sign and the spaces behind it.
    mutating func take(_ sign: Character) -> Bool {
        guard place < characters.count, characters[place] == sign else { return false }
        place += 1
        skipSpaces()
        return true
    }

    mutating func takeRest() -> String {
        defer { place = characters.count }
        return rest.trimmed
    }

    private var isAtArrow: Bool {
        guard place < characters.count else { return false }
        return characters[place] == "→"
            || characters[place] == "-" && place + 1 < characters.count
                && characters[place + 1] == ">"
    }

    private mutating func takeArrow() -> Bool {
        guard isAtArrow else { return false }
        place += characters[place] == "→" ? 1 : 2
        skipSpaces()
        return true
    }

    /// The next word, and the spaces behind it.
    mutating func word(_ expected: String) throws(MailRulesDefect) -> String {
        let start = place
        while place < characters.count, !isAtArrow, !characters[place].isWhitespace,
            !"\",=".contains(characters[place])
        { place += 1 }
        guard place > start else { throw defect("\(expected) is missing") }
        wordColumn = start + 1
        defer { skipSpaces() }
        return String(characters[start..<place])
    }

    private mutating func expect(_ wanted: String) throws(MailRulesDefect) {
        let found = try word(wanted)
        guard found == wanted else { throw defect("\(wanted), not \(found)", at: wordColumn) }
    }

    /// A text in quotation marks, in which \" and \\ stand for the signs.
    private mutating func quoted() throws(MailRulesDefect) -> String {
        let start = column
        guard place < characters.count, characters[place] == "\"" else {
            throw defect("a text in quotation marks is missing")
        }
        place += 1
        var text = ""
        while place < characters.count, characters[place] != "\"" {
            if characters[place] == "\\" {
                place += 1
                guard place < characters.count, "\"\\".contains(characters[place]) else {
                    throw defect("behind \\ only \" and \\ stand")
                }
            }
            text.append(characters[place])
            place += 1
        }
        guard place < characters.count else {
            throw defect("the text has no closing quotation mark", at: start)
        }
        place += 1
        skipSpaces()
        guard (1...MailRules.patternBytes).contains(text.utf8.count) else {
            throw defect("a text of 1 to \(MailRules.patternBytes) bytes", at: start)
        }
        return text
    }

    /// Microseconds.
    private mutating func duration() throws(MailRulesDefect) -> Int {
        let start = column
        var text = try word("a time such as 10 min")
        let digits = text.prefix { ("0"..."9").contains($0) }
        guard !digits.isEmpty, digits.count <= 8, let count = Int(digits) else {
            throw defect("a time such as 10 min, not \(text)", at: start)
        }
        text = String(text.dropFirst(digits.count))
        if text.isEmpty { text = try word("s, min, h or d") }
        let units = ["s": 1, "min": 60, "h": 3_600, "d": 86_400]
        guard let unit = units[text] else {
            throw defect("s, min, h or d, not \(text)", at: wordColumn)
        }
        guard (1...366 * 86_400).contains(count * unit) else {
            throw defect("1 s to 366 d", at: start)
        }
        return count * unit * 1_000_000
    }

    private mutating func condition() throws(MailRulesDefect) -> AlertCondition {
        let first = try word("a condition")
        let start = wordColumn
        switch first {
        case "longer":
            try expect("than")
            return .longerThan(try duration())
        case "no":
            try expect("stop_time")
            try expect("after")
            return .unstopped(after: try duration())
        default: break
        }
        guard let field = AlertField(rawValue: first) else {
            let fields = AlertField.allCases.map(\.rawValue).joined(separator: ", ")
            throw defect(
                "\(first) begins no condition: \(fields), longer than, no stop_time after",
                at: start)
        }
        let test = try word("contains or is")
        switch test {
        case "contains": return .contains(field, AlertText(try quoted()))
        case "is" where field != .notes: return .equals(field, AlertText(try quoted()))
        case "is": throw defect("notes contains \"…\", for notes are no text", at: wordColumn)
        default: throw defect("contains or is, not \(test)", at: wordColumn)
        }
    }

    mutating func alert() throws(MailRulesDefect) -> AlertRule {
        let text = rest.trimmed
        var conditions: [AlertCondition] = []
        repeat {
            let start = column
            let condition = try condition()
            if case .unstopped = condition, conditions.contains(where: \.isAboutTime) {
                throw defect("one condition about time is enough", at: start)
            }
            if case .longerThan = condition, conditions.contains(where: \.isAboutTime) {
                throw defect("one condition about time is enough", at: start)
            }
            guard conditions.count < MailRules.conditionLimit else {
                throw defect("more than \(MailRules.conditionLimit) conditions", at: start)
            }
            conditions.append(condition)
            if isAtArrow || isAtEnd { break }
            try expect("and")
        } while true
        guard takeArrow() else { throw defect("-> and an address are missing") }
        var recipients: [String] = []
        repeat {
            let address = try word("an address")
            guard MailRules.isAddress(address) else {
                throw defect("\(address) is no address such as a@example.com", at: wordColumn)
            }
            guard recipients.count < MailRules.recipientLimit else {
                throw defect("more than \(MailRules.recipientLimit) addresses", at: wordColumn)
            }
            if !recipients.contains(address) { recipients.append(address) }
        } while take(",")
        return AlertRule(text: text, conditions: conditions, recipients: recipients)
    }
}

extension AlertCondition {
    fileprivate var isAboutTime: Bool {
        switch self {
        case .longerThan, .unstopped: true
        case .contains, .equals: false
        }
    }
}

extension String {
    /// Without the white space around it.
    fileprivate var trimmed: String {
        var text = self[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }

    /// At most `count` bytes of its beginning, whole characters.
    package func cut(toBytes count: Int) -> String {
        guard utf8.count > count else { return self }
        var text = ""
        var left = count
        for scalar in unicodeScalars {
            left -= UTF8.width(scalar)
            guard left >= 0 else { break }
            text.unicodeScalars.append(scalar)
        }
        return text
    }
}
