import Bytes
import Crypto
import Testing

@testable import Records

@Suite struct MailRulesTests {
    private static let sender = "from = Daybook <a@example.com>\n"

    private static func rule(_ text: String) throws -> AlertRule {
        try #require(try MailRules(sender + "alert = " + text).alerts.first)
    }

    /// A stored record of an event; times are seconds.
    private static func record(
        script: String = "Nightly", stop: Int64? = nil, notes: String? = nil
    ) -> [UInt8] {
        var values: [UInt8] = []
        func add(_ text: String) -> Range<Int> {
            values += text.utf8
            return (values.count - text.utf8.count)..<values.count
        }
        var parameters = EventParameters()
        parameters.uniqueID = add("id-1")
        parameters.scriptName = add(script)
        parameters.hostName = add("fms-01")
        parameters.startTime = add("2026-11-24")
        parameters.startedAt = Timestamp(microseconds: 0)
        if let stop {
            parameters.stopTime = add("2026-11-25")
            parameters.stoppedAt = Timestamp(microseconds: stop * 1_000_000)
        }
        if let notes { parameters.notes = add(notes) }
        var record: [UInt8] = []
        RecordEncoder.append(
            parameters, values: values, application: Array("planox2".utf8),
            writtenBy: Array("w".utf8), hash: SHA256(), to: &record)
        return record
    }

    private static func matches(_ text: String, _ record: [UInt8]) throws -> Bool {
        let view = try RecordView(decoding: record.span, at: 0, end: record.count)
        return try rule(text).matches(view, in: record.span)
    }

    @Test func `rules are read with their sender, welcome, conditions and recipients`() throws {
        let source = """
            # whom to tell
            from = The Daybook <audit@example.com>

              welcome = on
            alert = notes contains "error" → devs@example.com
            alert = host_name is "a \\"b\\" \\\\" and longer than 10 min -> x@y.z, q@w.e, x@y.z
            alert = no stop_time after 1h->late@example.com
            """
        let rules = try MailRules(source)
        #expect(rules.source == source)
        #expect(rules.sender == "audit@example.com" && rules.senderName == "The Daybook")
        #expect(rules.welcomes)
        #expect(
            rules.alerts.map(\.recipients) == [
                ["devs@example.com"], ["x@y.z", "q@w.e"], ["late@example.com"],
            ])
        #expect(rules.alerts[0].conditions == [.contains(.notes, AlertText("error"))])
        #expect(
            rules.alerts[1].conditions == [
                .equals(.hostName, AlertText("a \"b\" \\")), .longerThan(600_000_000),
            ])
        #expect(rules.alerts.map(\.delay) == [nil, nil, 3_600_000_000])
        #expect(rules.alerts[2].text == "no stop_time after 1h->late@example.com")
        #expect(try MailRules("# nothing\n\r\n") != .none)
        #expect(try MailRules("from = a@b.c").sender == "a@b.c")
    }

    @Test(arguments: [
        ("alert = notes contains \"x\" -> a@b.c", 1, 1, "mail needs a sender"),
        ("welcome = on", 1, 1, "mail needs a sender"),
        ("colour = red", 1, 1, "colour is unknown"),
        ("from", 1, 5, "= is missing behind from"),
        ("from = nobody", 1, 8, "nobody is no address"),
        ("from = a@b.c\nfrom = d@e.f", 2, 8, "from is there already"),
        ("from = a@b.c\n  welcome = yes", 2, 13, "on or off, not yes"),
        ("from = a@b.c\nwelcome = on off", 2, 14, "off is too much here"),
        ("from = a@b.c\nalert = mood is \"x\" -> a@b.c", 2, 9, "mood begins no condition"),
        ("from = a@b.c\nalert = notes has \"x\" -> a@b.c", 2, 15, "contains or is, not has"),
        ("from = a@b.c\nalert = notes is \"x\" -> a@b.c", 2, 15, "notes contains"),
        ("from = a@b.c\nalert = notes contains x -> a@b.c", 2, 24, "in quotation marks"),
        ("from = a@b.c\nalert = notes contains \"x -> a@b.c", 2, 24, "no closing"),
        ("from = a@b.c\nalert = notes contains \"\" -> a@b.c", 2, 24, "a text of 1 to"),
        ("from = a@b.c\nalert = notes contains \"\\n\" -> a@b.c", 2, 26, "behind \\"),
        ("from = a@b.c\nalert = notes contains \"x\"", 2, 27, "-> and an address"),
        ("from = a@b.c\nalert = notes contains \"x\" ->", 2, 30, "an address is missing"),
        ("from = a@b.c\nalert = notes contains \"x\" -> me", 2, 31, "me is no address"),
        ("from = a@b.c\nalert = longer 10 min -> a@b.c", 2, 16, "than, not 10"),
        ("from = a@b.c\nalert = longer than ten min -> a@b.c", 2, 21, "a time such as"),
        ("from = a@b.c\nalert = longer than 10 weeks -> a@b.c", 2, 24, "s, min, h or d"),
        ("from = a@b.c\nalert = longer than 0 s -> a@b.c", 2, 21, "1 s to 366 d"),
        ("from = a@b.c\nalert = longer than 367 d -> a@b.c", 2, 21, "1 s to 366 d"),
        (
            "from = a@b.c\nalert = longer than 1 s and no stop_time after 1 s -> a@b.c", 2, 29,
            "one condition about time"
        ),
        ("from = a@b.c\nalert = longer than 1 s or -> a@b.c", 2, 25, "and, not or"),
    ])
    func `what is wrong is named by line and column`(
        _ source: String, _ line: Int, _ column: Int, _ reason: String
    ) throws {
        let defect = #expect(throws: MailRulesDefect.self) { try MailRules(source) }
        #expect(defect?.line == line && defect?.column == column, "\(String(describing: defect))")
        #expect(defect?.reason.contains(reason) == true, "\(String(describing: defect))")
    }

    @Test func `rules are bounded`() throws {
        let alert = "alert = notes contains \"x\" -> a@b.c\n"
        let full = Self.sender + String(repeating: alert, count: MailRules.alertLimit)
        #expect(try MailRules(full).alerts.count == MailRules.alertLimit)
        #expect(throws: MailRulesDefect.self) { try MailRules(full + alert) }
        let long = "#" + String(repeating: "x", count: MailRules.sourceBytes - 1)
        #expect(throws: Never.self) { try MailRules(long) }
        #expect(throws: MailRulesDefect.self) { try MailRules(long + "x") }
        let many = (0...MailRules.recipientLimit).map { "a\($0)@b.c" }.joined(separator: ", ")
        #expect(throws: MailRulesDefect.self) {
            try MailRules(Self.sender + "alert = notes contains \"x\" -> \(many)")
        }
    }

    @Test func `text is looked for whatever the case of ASCII letters`() throws {
        let record = Self.record(script: "Nightly Import", notes: #"["An ERROR happened"]"#)
        for (rule, expected) in [
            ("notes contains \"error\"", true), ("notes contains \"An error\"", true),
            ("notes contains \"errors\"", false), ("script_name contains \"IMPORT\"", true),
            ("script_name is \"nightly import\"", true), ("script_name is \"nightly\"", false),
            ("unique_id is \"id-1\"", true), ("application is \"planox2\"", true),
            ("updated_in contains \"x\"", false),
            ("notes contains \"error\" and host_name is \"fms-02\"", false),
            ("notes contains \"error\" and host_name is \"fms-01\"", true),
        ] {
            #expect(try Self.matches(rule + " -> a@b.c", record) == expected, "\(rule)")
        }
        #expect(try !Self.matches("notes contains \"x\" -> a@b.c", Self.record()))
    }

    @Test func `notes are read without their escapes too`() throws {
        let record = Self.record(notes: #"[{"\u0065rror":"caf\u00e9"},"a\"b"]"#)
        for (rule, expected) in [
            ("notes contains \"error\"", true), ("notes contains \"café\"", true),
            ("notes contains \"a\\\"b\"", true), ("notes contains \"none\"", false),
        ] {
            #expect(try Self.matches(rule + " -> a@b.c", record) == expected, "\(rule)")
        }
    }

    @Test func `durations are judged to the microsecond, and a missing stop_time apart`() throws {
        let longer = "longer than 10 min -> a@b.c"
        #expect(try !Self.matches(longer, Self.record(stop: 600)))
        #expect(try Self.matches(longer, Self.record(stop: 601)))
        #expect(try !Self.matches(longer, Self.record()))
        let missing = "no stop_time after 1 h -> a@b.c"
        #expect(try Self.matches(missing, Self.record()))
        #expect(try !Self.matches(missing, Self.record(stop: 1)))
    }

    @Test func `changes of mail are read as they were written, and stay as they are`() throws {
        let record = Self.record()
        let view = try RecordView(decoding: record.span, at: 0, end: record.count)
        let event = AlertedEvent(
            view, in: record.span, sequence: Sequence(7),
            rule: try Self.rule("longer than 1 s -> a@b.c"))
        let changes: [MailChange] = [
            .rules("# r"), .read(3), .reports([]),
            .reports([
                .claim(Identifier(high: 1, low: 2)), .delivered(4),
                .failed(5, attempt: 6, reason: "why"), .overdue(8),
                .release(Identifier(high: 3, low: 4)),
            ]),
            .owe([
                MailOrder(recipient: "a@b.c", subject: .welcome(UserID(9))),
                MailOrder(recipient: "a@b.c", subject: .alert(event)),
            ]),
            .erase(uniqueID: "id-1"), .heldBack(rule: "r", until: Timestamp(microseconds: 10)),
        ]
        for change in changes {
            var bytes: [UInt8] = []
            change.append(to: &bytes)
            var cursor = ByteCursor(0..<bytes.count)
            #expect(try MailChange(&cursor, bytes.span) == change)
            #expect(cursor.remaining == 0)
            for count in 0..<bytes.count {
                var cut = ByteCursor(0..<count)
                #expect(throws: ByteDefect.self) { try MailChange(&cut, bytes.span) }
            }
        }
        var bytes: [UInt8] = []
        DirectoryChange.mail(changes[3]).append(to: &bytes)
        #expect(
            Hex.encode(bytes)
                == "16030500000001010000000000000002000000000000000204000000000000000305"
                + "000000000000000600000003000000776879040800000000000000"
                + "0503000000000000000400000000000000")
    }

    @Test func `a text is cut between characters`() {
        #expect("héllo".cut(toBytes: 2) == "h" && "héllo".cut(toBytes: 3) == "hé")
        #expect("abc".cut(toBytes: 3) == "abc" && "abc".cut(toBytes: 0) == "")
    }
}
