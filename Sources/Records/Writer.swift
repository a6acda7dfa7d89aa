import Bytes

/// Who a record says that it came from: a token's id, or a session's id, `/`, and its user's id.
package enum Writer {
    package static func text(_ id: TokenID, user: UserID?) -> String {
        user.map { "\(id)/\($0)" } ?? "\(id)"
    }

    /// The id of the token or session in `range` of `bytes`; nil when it is none.
    package static func credential(_ bytes: Span<UInt8>, _ range: Range<Int>) -> TokenID? {
        guard range.count >= 16 else { return nil }
        let isSession = range.count == 33 && bytes[range.lowerBound + 16] == UInt8(ascii: "/")
        guard range.count == 16 || isSession else { return nil }
        return TokenID(bytes.extracting(range.lowerBound..<(range.lowerBound + 16)))
    }
}
