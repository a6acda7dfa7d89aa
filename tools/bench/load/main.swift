import Linux

// A load generator: see Options for the arguments and Report for what it prints.

do {
    let options = try Options(Array(CommandLine.arguments.dropFirst()))
    if options.mode == .replay {
        var replay = try Replay(options)
        try replay.run(window: options.windowNanoseconds)
    } else {
        var loop = try ClosedLoop(options)
        try loop.run(warmUp: options.warmUpNanoseconds, window: options.windowNanoseconds)
    }
} catch let error as UsageError {
    StandardStream.error.write("bench: \(error)\n")
    Process.exit(2)
} catch {
    StandardStream.error.write("bench: \(error)\n")
    Process.exit(1)
}
