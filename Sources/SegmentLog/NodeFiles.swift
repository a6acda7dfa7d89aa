import Records

/// The small files that are a node's own, held against their formats by who only looks.
package enum NodeFiles {
    package enum Finding: Equatable, Sendable {
        case good
        /// A copy is not readable, damaged or being written, and another one is.
        case copy(Int)
        case damaged(LogDefect)
    }

    /// Whose directory this is; nil when the file does not say so.
    package static func identity(_ bytes: [UInt8]) -> DiskIdentity? { DiskIdentity(bytes.span) }

    /// What the bytes of the file `vote` are.
    package static func vote(_ bytes: [UInt8]) -> Finding {
        let bytes = bytes.span
        let bad = (0..<VoteRecord.copies).filter {
            VoteRecord(bytes, at: $0 * VoteRecord.copyDistance) == nil
        }
        guard bad.count < VoteRecord.copies else { return .damaged(.vote) }
        return bad.first.map { .copy($0) } ?? .good
    }

    /// What the bytes of the file `persist` are, and how far they say that the log was durable.
    package static func persist(_ bytes: [UInt8]) -> (Finding, DurableEnd?) {
        guard let file = PersistFile(bytes.span) else { return (.damaged(.persist), nil) }
        return (file.damagedCopies > 0 ? .copy(file.damagedCopies) : .good, file.newest.end)
    }
}

extension DiskError {
    /// ENOENT
    package static let absent: Int32 = 2
}
