import Testing

@testable import daybook

struct ArgumentsTests {
    let flags: [Flag] = [
        .value("token-file", "FILE", ""), .toggle("json", ""), .repeated("permission", "P", ""),
        .value("wait", "SECONDS", ""),
    ]

    private func read(
        _ words: [String], _ variables: [String: String] = [:]
    ) throws(UsageError) -> Arguments {
        try Arguments(words, flags: flags) { variables[$0] }
    }

    @Test func `a flag takes the next word or what follows its equals sign`() throws {
        let arguments = try read(["a", "--token-file", "x", "--wait=5", "--wait=6", "b"])
        #expect(arguments.value("token-file") == "x")
        #expect(arguments.value("wait") == "6")
        #expect(arguments.positional == ["a", "b"])
        #expect(try read(["--token-file=a=b"]).value("token-file") == "a=b")
        #expect(try read(["--token-file="]).value("token-file") == "")
        #expect(try read(["--token-file", "-"]).value("token-file") == "-")
    }

    @Test func `a repeated flag keeps all its values in order`() throws {
        let arguments = try read(["--permission", "b", "--permission=a", "--permission", "b"])
        #expect(arguments.all("permission") == ["b", "a", "b"])
        #expect(arguments.all("wait").isEmpty)
    }

    @Test func `a toggle takes no word and can be taken back`() throws {
        let arguments = try read(["--json", "a"])
        #expect(arguments.isSet("json") && arguments.positional == ["a"])
        #expect(try !read(["--json", "--json=false"]).isSet("json"))
        #expect(throws: UsageError("--json is true or false, not \"maybe\"")) {
            try read(["--json=maybe"])
        }
    }

    @Test func `behind two dashes everything is positional, and one dash is a file`() throws {
        let arguments = try read(["-", "--json", "--", "--wait", "-h", "--"])
        #expect(arguments.positional == ["-", "--wait", "-h", "--"])
        #expect(!arguments.asksForHelp && arguments.isSet("json"))
    }

    @Test(arguments: [
        ("--jsn", "there is no flag --jsn here; did you mean --json?"),
        ("--tokenfile=x", "there is no flag --tokenfile here; did you mean --token-file?"),
        ("--zzzzzzz", "there is no flag --zzzzzzz here"),
        ("-j", "there is no flag -j here"),
        ("--wait", "--wait needs a value: --wait SECONDS"),
    ]) func `a word that is no flag is refused with what may be meant`(
        _ word: String, _ text: String
    ) {
        #expect(throws: UsageError(text)) { try read([word]) }
    }

    @Test func `a flag does not take the next flag for its value`() {
        #expect(throws: UsageError("--wait needs a value: --wait SECONDS")) {
            try read(["--wait", "--json"])
        }
    }

    @Test func `a flag that is not given comes from its variable`() throws {
        let variables = [
            "DAYBOOK_TOKEN_FILE": "v", "DAYBOOK_JSON": "1", "DAYBOOK_PERMISSION": "a,b",
            "DAYBOOK_WAIT": "",
        ]
        let arguments = try read(["--token-file", "w"], variables)
        #expect(arguments.value("token-file") == "w")
        #expect(arguments.isSet("json"))
        #expect(arguments.all("permission") == ["a", "b"])
        #expect(arguments.value("wait") == nil)
        #expect(throws: UsageError("DAYBOOK_JSON is true or false, not \"x\"")) {
            try read([], ["DAYBOOK_JSON": "x"])
        }
    }

    @Test func `what is required may come from a variable but not be missing`() throws {
        let required: [Flag] = [.value("data", "DIR", "", isRequired: true)]
        #expect(throws: UsageError("--data is missing")) {
            try Arguments([], flags: required) { _ in nil }
        }
        let found = try Arguments([], flags: required) { $0 == "DAYBOOK_DATA" ? "d" : nil }
        #expect(found.value("data") == "d")
        #expect(try Arguments(["--help"], flags: required) { _ in nil }.asksForHelp)
    }

    @Test(arguments: ["", "-1", "1.5", "11", "99999999999999999999"])
    func `a number outside its range is refused`(_ text: String) {
        #expect(throws: UsageError("--wait takes a whole number from 0 to 10, not \"\(text)\"")) {
            try read(["--wait=" + text]).number("wait", in: 0...10)
        }
    }

    @Test func `every command has a summary, flags of different names, and two examples`() {
        let names = CommandTable.commands.map(\.name)
        #expect(Set(names).count == names.count)
        for command in CommandTable.commands {
            #expect(command.examples.count >= 2, "\(command.name)")
            #expect(!command.summary.isEmpty)
            #expect(Set(command.flags.map(\.name)).count == command.flags.count)
            #expect(!Set(command.flags.map(\.name)).contains("help"))
        }
    }

    @Test(arguments: [
        ("kitten", "sitting", 3), ("", "abc", 3), ("jsno", "json", 1), ("same", "same", 0),
    ]) func `distance counts edits and swaps`(_ left: String, _ right: String, _ count: Int) {
        #expect(Spelling.distance(Array(left), Array(right)) == count)
    }
}
