package import Bytes

/// A change of the directory, with the request that asked for it.
///
/// It stands in a `directory` entry behind the record of its administrative event.
package struct DirectoryCommand: Equatable, Sendable {
    package enum Change: Equatable, Sendable {
        case createToken(TokenRow)
        case revokeToken(TokenID)
    }

    /// Names the request: repeating it changes nothing and gets the first answer.
    package let request: Identifier
    /// The administrator's token that it came with.
    package let author: TokenID
    package let change: Change

    package init(request: Identifier, author: TokenID, change: Change) {
        self.request = request
        self.author = author
        self.change = change
    }

    package init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        request = Identifier(bytes, at: try cursor.take(Identifier.encodedSize).lowerBound)
        author = TokenID(try cursor.integer(bytes))
        switch try cursor.integer(bytes, as: UInt8.self) {
        case 1: change = .createToken(try TokenRow(&cursor, bytes))
        case 2: change = .revokeToken(TokenID(try cursor.integer(bytes)))
        default: throw ByteDefect(offset: cursor.offset)
        }
    }

    package func append(to bytes: inout [UInt8]) {
        request.append(to: &bytes)
        bytes.append(littleEndian: author.value)
        switch change {
        case .createToken(let row):
            bytes.append(1)
            row.append(to: &bytes)
        case .revokeToken(let id):
            bytes.append(2)
            bytes.append(littleEndian: id.value)
        }
    }
}
