import Linux

Process.exit(CommandLineProgram.run(Array(CommandLine.arguments.dropFirst())).rawValue)
