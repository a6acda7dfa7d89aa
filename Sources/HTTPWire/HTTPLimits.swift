/// A reading of the monotonic clock, or a distance between two, in nanoseconds.
package typealias Nanoseconds = UInt64

/// Bounds of one connection, with what happens at each.
package enum HTTPLimits {
    /// Bytes of a request line without its line break. Longer is 414.
    package static let requestLineBytes = 8 * 1_024
    /// Bytes of all headers of a request with their line breaks. More is 431.
    package static let headerBytes = 32 * 1_024
    /// Headers of a request. More is 431.
    package static let headerCount = 100
    /// Digits of a declared length. More is 400.
    package static let lengthDigits = 18
    /// Hexadecimal digits of a chunk's size. More is 400.
    package static let chunkSizeDigits = 8
    /// Bytes of all chunk extensions of a request. More is 400.
    package static let chunkExtensionBytes = 1_024
    /// Bytes of the trailers of a request with their line breaks. More is 431.
    package static let trailerBytes = 4 * 1_024
    /// Bytes of later requests that wait. At it `wantsBytes` is false.
    package static let pipelinedBytes = 64 * 1_024
    /// Bytes of output above which no further request is begun.
    package static let pendingOutputBytes = 256 * 1_024
    /// Bytes that are read and dropped behind a refused request, so that the client can read the
    /// answer. At it the connection is closed.
    package static let drainBytes = 2 * 1_024 * 1_024
    /// Bytes of capacity that an empty buffer keeps.
    package static let keptCapacity = 64 * 1_024

    /// From a request's first byte to the end of its headers. At it: 408, closed.
    package static let headerTime: Nanoseconds = 10_000_000_000
    /// Without a request. At it: closed.
    package static let idleTime: Nanoseconds = 75_000_000_000
    /// From the admission of a body to its last byte. At it: 408, closed.
    package static let bodyTime: Nanoseconds = 60_000_000_000
    /// Without the peer taking a byte of the output. At it: closed, the output dropped.
    package static let writeTime: Nanoseconds = 60_000_000_000
    /// For the drain behind a refused request. At it: closed.
    package static let drainTime: Nanoseconds = 5_000_000_000
}
