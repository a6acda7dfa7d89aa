let words = Array(CommandLine.arguments.dropFirst())
try ServerCommands.run(words.first ?? "help", Arguments(Array(words.dropFirst())))
