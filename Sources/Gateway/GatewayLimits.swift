/// Bounds of the gateway, with what happens at each.
package enum GatewayLimits {
    /// Bytes of a body. A longer one is `payload-too-large`.
    package static let bodyBytes = 1_024 * 1_024
    /// Bytes of a bulk body. A longer one is 413.
    package static let bulkBodyBytes = 16 * 1_024 * 1_024
    /// Bytes of bulk bodies held at once over all connections. One more is `not-ready`, unread.
    package static let bulkBytesHeld = 256 * 1_024 * 1_024
    /// Bytes of events in one submit. What waits beyond it is the next one.
    package static let submitBytes = 768 * 1_024
    /// Bytes of events that wait for an answer. Beyond it requests are `not-ready`.
    package static let waitingBytes = 128 * 1_024 * 1_024
    /// Bytes of rows in one page of a replay.
    package static let pageBytes: UInt32 = 512 * 1_024
    /// Bytes of output of one connection above which a replay asks for no further page.
    package static let replayOutputBytes = 1_024 * 1_024
    /// Bytes that all connections hold, in unfinished requests and output that is not taken, bulk
    /// bodies apart. Beyond it the connection that holds most is closed.
    package static let connectionBytesHeld = 256 * 1_024 * 1_024
    /// Connections accepted in one turn. Others wait for the next one.
    package static let acceptsPerTurn = 64
    /// Seconds of a limit's rate that may come at once. What goes beyond is `rate-limit-exceeded`.
    package static let burstSeconds = 2
    /// Addresses, and tokens, whose requests are counted. One more takes the place of the one that
    /// is furthest from its limit.
    package static let rateSlots = 32_768
    /// E-mail addresses, and addresses, whose failed logins are counted. One more takes the place of
    /// the one with the fewest.
    package static let loginSlots = 16_384
    /// Bytes of lines that wait for the access log. One more is dropped, and counted.
    package static let accessLogBytes = 1_024 * 1_024
    /// Bytes of a request id that is taken over. A longer one is replaced.
    package static let requestIDBytes = 128
}

/// How a gateway judges.
package struct GatewaySettings: Sendable {
    /// Where users without a record go to register; told with `client-required`.
    package var clientRegistrationURL: String?
    /// Of the program, for the description of the routes.
    package var version = ""
    /// A part of the cluster's id, for cursors.
    package var clusterTag: UInt64 = 0
    /// How long a request waits for a leader and a majority before it is `not-ready`.
    package var requestDeadlineNanoseconds: UInt64 = 5_000_000_000
    /// Seconds in `Retry-After`.
    package var retryAfterSeconds = 1
    /// Requests a second of one address, and of one token; nil for any number. Processes of this
    /// machine are not limited.
    package var requestsPerSecondPerAddress: Int? = 2_000
    package var requestsPerSecondPerToken: Int? = 5_000
    /// Whose `X-Forwarded-For` is believed.
    package var trustedProxies: [AddressBlock] = []

    package init() {}
}
