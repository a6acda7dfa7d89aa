import Linux
import Simulation

/// Adds up summaries of separate runs.
enum Merging {
    private static let fileLimit = 16 * 1_024 * 1_024

    /// Returns the program's exit code.
    static func run(
        _ files: [String], printsCoverage: Bool, printsJSON: Bool
    ) throws -> Int32 {
        var sum = Summary()
        for file in files {
            do {
                sum.add(try Summary(try SmallFile.read(file, limit: fileLimit)))
            } catch {
                StandardStream.error.write(
                    "simulate: \(file) is no summary that --json wrote: \(error)\n")
                return 2
            }
        }
        return sum.tell(printsCoverage: printsCoverage, printsJSON: printsJSON)
    }
}

extension Summary {
    /// Prints the summary; returns the program's exit code.
    func tell(printsCoverage: Bool, printsJSON: Bool) -> Int32 {
        if printsJSON {
            StandardStream.output.write(String(decoding: json, as: UTF8.self))
        } else {
            if printsCoverage { for line in coverageLines { print(line) } }
            print(line)
        }
        guard violationCount == 0 else { return 1 }
        guard printsCoverage, !missed.isEmpty else { return 0 }
        let names = missed.map(\.text).joined(separator: ", ")
        StandardStream.error.write("simulate: never reached: \(names)\n")
        return 1
    }
}
