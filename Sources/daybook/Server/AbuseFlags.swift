import Gateway
import Server

/// Flags of a gateway about who asks how often, and what is kept of it.
enum AbuseFlags {
    static let all: [Flag] = [
        .value(
            "requests-per-second-per-address", "N|off",
            "beyond it 429; of IPv6 a /64 counts as one; 2000 by default"),
        .value(
            "requests-per-second-per-token", "N|off",
            "the same by token or session; 5000 by default"),
        .repeated(
            "trusted-proxy", "ADDRESS[/BITS]",
            "a proxy whose X-Forwarded-For is believed; any number of times"),
        .value(
            "access-log", "FILE|-",
            "a line of JSON for each request, - on standard output; SIGHUP opens it anew"),
    ]

    static func read(
        _ arguments: Arguments, into configuration: inout GatewayConfiguration
    ) throws {
        let addresses = "requests-per-second-per-address"
        let tokens = "requests-per-second-per-token"
        if arguments.value(addresses) != nil {
            configuration.settings.requestsPerSecondPerAddress = try rate(arguments, addresses)
        }
        if arguments.value(tokens) != nil {
            configuration.settings.requestsPerSecondPerToken = try rate(arguments, tokens)
        }
        configuration.settings.trustedProxies = try arguments.all("trusted-proxy").map {
            text throws(UsageError) in
            guard let block = AddressBlock(text) else {
                throw UsageError(
                    "--trusted-proxy takes an address or a block of them, as 10.0.0.7 or "
                        + "10.0.0.0/24, not \"\(text)\"")
            }
            return block
        }
        configuration.accessLog = try arguments.value("access-log").map { try AccessLog($0) }
    }

    /// nil for `off`.
    private static func rate(
        _ arguments: Arguments, _ flag: String
    ) throws(UsageError) -> Int? {
        guard let text = arguments.value(flag), text != "off" else { return nil }
        guard let rate = Int(text), (1...1_000_000).contains(rate) else {
            throw UsageError("--\(flag) takes 1 to 1000000, or off, not \"\(text)\"")
        }
        return rate
    }
}
