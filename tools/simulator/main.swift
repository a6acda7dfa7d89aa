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
case .one(let seed, let bug, let traces):
    Process.exit(try OneSeed.run(seed, bug: bug, traces: traces))
case .many(let range): Process.exit(try ManySeeds(range).run())
case .crashPoints(let range): Process.exit(try CrashPoints(range).run())
case .modelCheck(let range): Process.exit(ModelRun.run(range))
}
