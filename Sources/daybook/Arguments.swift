/// A stand-in until the real one is merged.
struct Arguments {
    var values: [String: String] = [:]
    var positional: [String] = []
    init(_ words: [String]) {
        var place = 0
        while place < words.count {
            let word = words[place]
            if word.hasPrefix("--") {
                let name = String(word.dropFirst(2))
                if place + 1 < words.count, !words[place + 1].hasPrefix("--") {
                    values[name] = words[place + 1]
                    place += 1
                } else {
                    values[name] = "true"
                }
            } else {
                positional.append(word)
            }
            place += 1
        }
    }
    func value(_ name: String) -> String? { values[name] }
}
