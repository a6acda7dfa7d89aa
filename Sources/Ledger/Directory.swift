package import Bytes
package import Records

/// Who may do what: the tokens. Committed state, the same on every replica.
package struct Directory: Equatable, Sendable {
    /// In ascending order of ids.
    package private(set) var tokens: [TokenRow] = []
    /// Rises with every change, so that followers of the directory know what they have.
    package private(set) var version: UInt64 = 0

    package init() {}

    /// The token with `id`, revoked ones included.
    package func token(_ id: TokenID) -> TokenRow? {
        let place = place(of: id)
        return place < tokens.count && tokens[place].id == id ? tokens[place] : nil
    }

    package mutating func insert(_ token: TokenRow) {
        let place = place(of: token.id)
        precondition(place == tokens.count || tokens[place].id != token.id, "a token id twice")
        tokens.insert(token, at: place)
        version += 1
    }

    package mutating func revoke(_ id: TokenID, at time: Timestamp) {
        let place = place(of: id)
        guard place < tokens.count, tokens[place].id == id, tokens[place].revokedAt == nil else {
            return
        }
        tokens[place].revokedAt = time
        version += 1
    }

    /// Reads what `append(to:)` writes.
    package init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        version = try cursor.integer(bytes)
        let count = try cursor.integer(bytes, as: UInt32.self)
        for _ in 0..<count {
            let row = try TokenRow(&cursor, bytes)
            guard tokens.last.map({ $0.id < row.id }) ?? true else {
                throw ByteDefect(offset: cursor.offset)
            }
            tokens.append(row)
        }
    }

    package func append(to bytes: inout [UInt8]) {
        bytes.append(littleEndian: version)
        bytes.append(littleEndian: UInt32(tokens.count))
        for token in tokens { token.append(to: &bytes) }
    }

    private func place(of id: TokenID) -> Int {
        var low = 0
        var high = tokens.count
        while low < high {
            let middle = (low + high) / 2
            if tokens[middle].id < id { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
