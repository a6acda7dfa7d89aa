import Linux

enum Mode: String {
    case single
    case bulk
    case replay
}

/// Wrong arguments; the text says which.
struct UsageError: Error, CustomStringConvertible {
    let description: String
}

/// The command line: `bench --to HOST:PORT --token-file FILE --mode single|bulk|replay
/// [--clients N] [--seconds S] [--warm-up S] [--batch EVENTS]`.
struct Options {
    let address: SocketAddress
    let mode: Mode
    let clients: Int
    let windowNanoseconds: UInt64
    let warmUpNanoseconds: UInt64
    let template: RequestTemplate

    init(_ arguments: [String]) throws {
        var values = [
            "--clients": "1", "--seconds": "5", "--warm-up": "1", "--batch": "1000",
            "--mode": "single", "--to": "", "--token-file": "",
        ]
        guard arguments.count.isMultiple(of: 2) else {
            throw UsageError(description: "an option without a value")
        }
        for position in stride(from: 0, to: arguments.count, by: 2) {
            guard values.updateValue(arguments[position + 1], forKey: arguments[position]) != nil
            else { throw UsageError(description: "unknown option \(arguments[position])") }
        }
        func number(_ name: String, _ range: ClosedRange<Int>) throws -> Int {
            guard let number = Int(values[name] ?? ""), range.contains(number) else {
                throw UsageError(description: "\(name): a number in \(range)")
            }
            return number
        }
        guard let mode = Mode(rawValue: values["--mode"] ?? "") else {
            throw UsageError(description: "--mode: single, bulk or replay")
        }
        self.mode = mode
        clients = try number("--clients", 1...4_096)
        windowNanoseconds = UInt64(try number("--seconds", 1...3_600)) * 1_000_000_000
        warmUpNanoseconds = UInt64(try number("--warm-up", 0...600)) * 1_000_000_000
        let host = values["--to"] ?? ""
        address = try SocketAddress(host)
        let secret = try SmallFile.read(values["--token-file"] ?? "", limit: 4_096)
        let token = String(decoding: secret.filter { $0 > 32 }, as: UTF8.self)
        template =
            switch mode {
            case .single: .single(host: host, token: token)
            case .bulk:
                .bulk(host: host, token: token, eventCount: try number("--batch", 1...20_000))
            case .replay: .replay(host: host, token: token)
            }
    }
}
