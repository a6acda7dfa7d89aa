import Bytes
import Linux

// fuzz TARGET CORPUS --seconds N --seed S: runs cases until the time is over, and says how many it ran
// and where it is. fuzz TARGET CORPUS --seed S --from N --count N: runs those, saying each number first.
// fuzz TARGET CORPUS --seed S --print N: the input of one case, as hexadecimal text. `tools/fuzz` finds
// the case that ended the process.

/// Cases between two lines of progress.
let blockCases: UInt64 = 1_000
let fileLimit = 1_024 * 1_024

func fail(_ text: String) -> Never {
    StandardStream.error.write("fuzz: \(text)\n")
    Process.exit(2)
}

func option(_ name: String) -> UInt64? {
    guard let place = CommandLine.arguments.firstIndex(of: name) else { return nil }
    guard place + 1 < CommandLine.arguments.count,
        let number = UInt64(CommandLine.arguments[place + 1])
    else { fail("\(name) takes a number") }
    return number
}

/// The files of the corpus are hexadecimal text, one input a line.
func readCorpus(_ path: String) -> [[UInt8]] {
    guard let file = try? SmallFile.read(path, limit: fileLimit) else { fail("no file \(path)") }
    return file.split(separator: UInt8(ascii: "\n")).map { line in
        guard let input = Hex.decode(Array(line).span) else { fail("\(path) is not hexadecimal") }
        return input
    }
}

guard CommandLine.arguments.count > 2, let target = Target(rawValue: CommandLine.arguments[1])
else {
    fail("say one of \(Target.allCases.map(\.rawValue).joined(separator: ", ")), and a corpus")
}
let mutation = Mutation(
    corpus: readCorpus(CommandLine.arguments[2]) + [[]], words: target.words,
    seed: option("--seed") ?? 1)

func run(_ number: UInt64) {
    var random = RandomSource(seed: number)
    target.run(mutation.input(number), &random)
}

if let number = option("--print") {
    StandardStream.output.write(Hex.encode(mutation.input(number)) + "\n")
} else if let first = option("--from") {
    for number in first..<(first + (option("--count") ?? 1)) {
        StandardStream.output.write("\(number)\n")
        run(number)
    }
} else {
    for input in mutation.corpus {
        var random = RandomSource(seed: 0)
        target.run(input, &random)
    }
    let end = Clock.monotonicNanoseconds() + (option("--seconds") ?? 15) * 1_000_000_000
    var number: UInt64 = 0
    while Clock.monotonicNanoseconds() < end {
        StandardStream.output.write("at \(number)\n")
        for _ in 0..<blockCases {
            run(number)
            number += 1
        }
    }
    StandardStream.output.write("\(number) cases\n")
}
