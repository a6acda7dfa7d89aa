import Linux
import Simulation

let invocation: Invocation
do {
    invocation = try Invocation(Array(CommandLine.arguments.dropFirst()))
} catch {
    StandardStream.error.write("simulate: \(error.text)\n")
    Process.exit(2)
}
if let bug = invocation.bug { PlantedBugNames.plant(bug) }
switch invocation {
case .help: print(Invocation.text)
case .one(let seed, let bug, let changes, let traces):
    Process.exit(try OneSeed.run(seed, bug: bug, changes: changes, traces: traces))
case .shrink(let seed, let bug): Process.exit(try OneSeed.shrink(seed, bug: bug))
case .merge(let files, let printsCoverage, let printsJSON):
    Process.exit(try Merging.run(files, printsCoverage: printsCoverage, printsJSON: printsJSON))
case .many(let range): Process.exit(try ManySeeds(range).run())
case .crashPoints(let range): Process.exit(try CrashPoints(range).run())
case .modelCheck(let range): Process.exit(ModelRun.run(range))
}
