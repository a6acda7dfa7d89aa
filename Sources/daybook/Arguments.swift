import Linux

/// One flag of a command.
struct Flag: Sendable {
    enum Form: Sendable, Equatable {
        /// `--name`; `--name=false` takes it back.
        case toggle
        /// `--name VALUE`; the last one counts.
        case value(String)
        /// `--name VALUE`, any number of times.
        case repeated(String)
    }

    /// Without the dashes.
    let name: String
    let form: Form
    let summary: String
    let isRequired: Bool

    static func toggle(_ name: String, _ summary: String) -> Flag {
        Flag(name: name, form: .toggle, summary: summary, isRequired: false)
    }

    static func value(
        _ name: String, _ placeholder: String, _ summary: String, isRequired: Bool = false
    ) -> Flag {
        Flag(name: name, form: .value(placeholder), summary: summary, isRequired: isRequired)
    }

    static func repeated(_ name: String, _ placeholder: String, _ summary: String) -> Flag {
        Flag(name: name, form: .repeated(placeholder), summary: summary, isRequired: false)
    }

    /// The environment variable that stands in for the flag where it is not given.
    var variable: String {
        "DAYBOOK_" + name.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
    }
}

/// The command line says what cannot be done; the text says what can.
struct UsageError: Error, Equatable, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// The arguments of one command: flags by name and what stands between them.
struct Arguments: Sendable {
    private(set) var positional: [String] = []
    /// Whether `--help` or `-h` is among them; nothing is required then.
    private(set) var asksForHelp = false
    private var values: [String: [String]] = [:]

    /// Reads `words` by `flags`; a flag that is missing there is looked up in `environment` by its
    /// variable's name, and an empty variable counts as none.
    init(
        _ words: [String], flags: [Flag], environment: (String) -> String? = Environment.value
    ) throws(UsageError) {
        var place = 0
        var onlyPositional = false
        while place < words.count {
            let word = words[place]
            place += 1
            if onlyPositional || word == "-" || !word.hasPrefix("-") {
                positional.append(word)
            } else if word == "--" {
                onlyPositional = true
            } else if word == "--help" || word == "-h" {
                asksForHelp = true
            } else {
                try take(word, words, &place, flags)
            }
        }
        guard !asksForHelp else { return }
        try fallBack(flags, environment)
    }

    /// The flag's value, the last one where it was given more than once.
    func value(_ name: String) -> String? { values[name]?.last }

    /// All values of the flag, in order.
    func all(_ name: String) -> [String] { values[name] ?? [] }

    /// Whether the toggle is set.
    func isSet(_ name: String) -> Bool { value(name) == "true" }

    /// The flag's value as a whole number from `range`; nil when it is not given.
    func number(_ name: String, in range: ClosedRange<UInt64>) throws(UsageError) -> UInt64? {
        guard let text = value(name) else { return nil }
        guard let number = UInt64(text), range.contains(number) else {
            let bounds =
                range.upperBound == .max
                ? "from \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
            throw UsageError("--\(name) takes a whole number \(bounds), not \"\(text)\"")
        }
        return number
    }

    /// The same arguments with `word` in front of the positional ones.
    func prepending(_ word: String) -> Arguments {
        var copy = self
        copy.positional.insert(word, at: 0)
        return copy
    }

    // MARK: Reading

    private mutating func take(
        _ word: String, _ words: [String], _ place: inout Int, _ flags: [Flag]
    ) throws(UsageError) {
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let inline = parts.count == 2 ? String(parts[1]) : nil
        guard word.hasPrefix("--"),
            let flag = flags.first(where: { $0.name == parts[0].dropFirst(2) })
        else { throw Self.unknown(String(parts[0]), flags) }
        switch flag.form {
        case .toggle:
            values[flag.name] = [try Self.toggle(inline ?? "true", "--\(flag.name)")]
        case .value(let placeholder), .repeated(let placeholder):
            var value = inline
            if value == nil, place < words.count, !Self.looksLikeFlag(words[place]) {
                value = words[place]
                place += 1
            }
            guard let value else {
                throw UsageError("--\(flag.name) needs a value: --\(flag.name) \(placeholder)")
            }
            if case .repeated = flag.form {
                values[flag.name, default: []].append(value)
            } else {
                values[flag.name] = [value]
            }
        }
    }

    /// `--flag` cannot be a value unless it is joined by an equals sign; `-` and `-5` can.
    private static func looksLikeFlag(_ word: String) -> Bool { word.hasPrefix("--") }

    private mutating func fallBack(
        _ flags: [Flag], _ environment: (String) -> String?
    ) throws(UsageError) {
        for flag in flags where values[flag.name] == nil {
            if let text = environment(flag.variable), !text.isEmpty {
                switch flag.form {
                case .toggle: values[flag.name] = [try Self.toggle(text, flag.variable)]
                case .value: values[flag.name] = [text]
                case .repeated: values[flag.name] = text.split(separator: ",").map(String.init)
                }
            } else if flag.isRequired {
                throw UsageError("--\(flag.name) is missing")
            }
        }
    }

    private static func toggle(_ text: String, _ name: String) throws(UsageError) -> String {
        switch text {
        case "true", "1", "yes": return "true"
        case "false", "0", "no": return "false"
        default: throw UsageError("\(name) is true or false, not \"\(text)\"")
        }
    }

    private static func unknown(_ word: String, _ flags: [Flag]) -> UsageError {
        let names = flags.map { "--" + $0.name } + ["--help"]
        let hint = Spelling.nearest(to: word, among: names).map { "; did you mean \($0)?" } ?? ""
        return UsageError("there is no flag \(word) here\(hint)")
    }
}

/// Finds what somebody may have meant.
enum Spelling {
    /// The one of `words` that is closest to `word`; nil when none is close.
    static func nearest(to word: String, among words: [String]) -> String? {
        let limit = max(1, word.count / 3)
        var best: (word: String, distance: Int)?
        for candidate in words {
            let distance = distance(Array(word), Array(candidate))
            if distance <= limit, distance < best?.distance ?? .max {
                best = (candidate, distance)
            }
        }
        return best?.word
    }

    /// Insertions, deletions, replacements and swaps of neighbours between two words (optimal
    /// string alignment).
    static func distance(_ left: [Character], _ right: [Character]) -> Int {
        var before: [Int] = []
        var previous = Array(0...right.count)
        for row in left.indices {
            var current = [row + 1]
            for column in right.indices {
                let replaced = previous[column] + (left[row] == right[column] ? 0 : 1)
                var best = min(replaced, previous[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, left[row] == right[column - 1],
                    left[row - 1] == right[column]
                {
                    best = min(best, before[column - 1] + 1)
                }
                current.append(best)
            }
            (before, previous) = (previous, current)
        }
        return previous[right.count]
    }
}
