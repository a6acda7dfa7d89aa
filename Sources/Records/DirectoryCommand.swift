package import Bytes

/// A unique_id as a command names it: by itself, and by the mark that stays when it is erased.
package struct NamedID: Equatable, Sendable {
    /// `ClosedMark` of the unique_id; zero until the leader has filled it in.
    package let mark: Digest
    /// Empty where an erasure took it away.
    package let uniqueID: [UInt8]

    package init(mark: Digest = .zero, uniqueID: [UInt8]) {
        self.mark = mark
        self.uniqueID = uniqueID
    }

    init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        mark = try Digest(&cursor, bytes)
        let place = try cursor.counted(bytes)
        guard place.count <= Limits.shortStringBytes else {
            throw ByteDefect(offset: place.lowerBound)
        }
        uniqueID = bytes.copy(place)
    }

    func append(to bytes: inout [UInt8]) {
        mark.append(to: &bytes)
        bytes.append(counted: uniqueID)
    }

    var redacted: NamedID { NamedID(mark: mark, uniqueID: []) }
}

/// What an administrator wants compacted: the beginning of a run over all archived segments.
package struct CompactionOrder: Equatable, Sendable {
    package let policy: CompactionPolicy
    /// Events younger than this many microseconds at the command's time stay; 0 for `latest`.
    package let keptMicroseconds: UInt64
    /// Whether the open segment is sealed first, so that the run reaches everything before it.
    package let sealsFirst: Bool

    package init(policy: CompactionPolicy, keptMicroseconds: UInt64 = 0, sealsFirst: Bool) {
        self.policy = policy
        self.keptMicroseconds = keptMicroseconds
        self.sealsFirst = sealsFirst
    }

    /// The order with a policy as people write it: `latest`, or `newer-than:DAYS` with 1 to 36500
    /// days. nil for other texts.
    package init?(_ policy: String, sealsFirst: Bool) {
        if policy == "latest" {
            self.init(policy: .latest, sealsFirst: sealsFirst)
            return
        }
        let prefix = "newer-than:"
        guard policy.hasPrefix(prefix), let days = UInt64(policy.dropFirst(prefix.count)),
            (1...36_500).contains(days)
        else { return nil }
        self.init(
            policy: .newerThan, keptMicroseconds: days * 86_400_000_000, sealsFirst: sealsFirst)
    }

    package init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        let place = cursor.offset
        guard let policy = CompactionPolicy(rawValue: try cursor.integer(bytes)) else {
            throw ByteDefect(offset: place)
        }
        self.policy = policy
        keptMicroseconds = try cursor.integer(bytes)
        guard keptMicroseconds < 1 << 62 else { throw ByteDefect(offset: place + 4) }
        sealsFirst = try cursor.integer(bytes, as: UInt8.self) != 0
    }

    package func append(to bytes: inout [UInt8]) {
        bytes.append(littleEndian: policy.rawValue)
        bytes.append(littleEndian: keptMicroseconds)
        bytes.append(sealsFirst ? 1 : 0)
    }
}

/// A change of what the cluster knows besides events, with the request that asked for it.
///
/// It stands in a `directory` entry behind the record of its administrative event.
package struct DirectoryCommand: Equatable, Sendable {
    package enum Change: Equatable, Sendable {
        case createToken(TokenRow)
        case revokeToken(TokenID)
        case compact(CompactionOrder)
        /// A legal hold: compactions keep all revisions, and the unique_id cannot be erased.
        case addHold(NamedID, reason: String)
        case removeHold(NamedID)
        /// On the way to the leader only, who proposes an ERASE entry for it.
        case erase(uniqueID: [UInt8], reason: String)
        case directory(DirectoryChange)
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

    /// Whether it is a note for the record rather than somebody's act.
    package var isBookkeeping: Bool {
        switch change {
        case .directory(.useSessions), .directory(.mail(.reports)): true
        default: false
        }
    }

    /// The mark of the unique_id that stands in the command; nil when there is none in it.
    package var namedMark: Digest? {
        switch change {
        case .addHold(let id, _) where !id.uniqueID.isEmpty: id.mark
        case .removeHold(let id) where !id.uniqueID.isEmpty: id.mark
        default: nil
        }
    }

    /// The same without the unique_id.
    package var redacted: DirectoryCommand {
        switch change {
        case .addHold(let id, let reason):
            DirectoryCommand(
                request: request, author: author, change: .addHold(id.redacted, reason: reason))
        case .removeHold(let id):
            DirectoryCommand(request: request, author: author, change: .removeHold(id.redacted))
        default: self
        }
    }

    package init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        request = Identifier(bytes, at: try cursor.take(Identifier.encodedSize).lowerBound)
        author = TokenID(try cursor.integer(bytes))
        change = try Change(&cursor, bytes)
    }

    package func append(to bytes: inout [UInt8]) {
        request.append(to: &bytes)
        bytes.append(littleEndian: author.value)
        change.append(to: &bytes)
    }
}

extension DirectoryCommand.Change {
    /// Whether no command has it: it follows from entries.
    package var isDerived: Bool {
        if case .directory(.mail(let change)) = self { change.isDerived } else { false }
    }

    package init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        let kind: UInt8 = try cursor.integer(bytes)
        switch kind {
        case 1: self = .createToken(try TokenRow(&cursor, bytes))
        case 2: self = .revokeToken(TokenID(try cursor.integer(bytes)))
        case 3: self = .compact(try CompactionOrder(&cursor, bytes))
        case 4:
            let id = try NamedID(&cursor, bytes)
            self = .addHold(id, reason: try cursor.text(bytes))
        case 5: self = .removeHold(try NamedID(&cursor, bytes))
        case 6:
            let uniqueID = try NamedID(&cursor, bytes).uniqueID
            self = .erase(uniqueID: uniqueID, reason: try cursor.text(bytes))
        default:
            let place = cursor.offset - 1
            guard let change = try DirectoryChange(kind: kind, &cursor, bytes) else {
                throw ByteDefect(offset: place)
            }
            self = .directory(change)
        }
    }

    package func append(to bytes: inout [UInt8]) {
        switch self {
        case .createToken(let row):
            bytes.append(1)
            row.append(to: &bytes)
        case .revokeToken(let id):
            bytes.append(2)
            bytes.append(littleEndian: id.value)
        case .compact(let order):
            bytes.append(3)
            order.append(to: &bytes)
        case .addHold(let id, let reason):
            bytes.append(4)
            id.append(to: &bytes)
            bytes.append(counted: reason)
        case .removeHold(let id):
            bytes.append(5)
            id.append(to: &bytes)
        case .erase(let uniqueID, let reason):
            bytes.append(6)
            NamedID(uniqueID: uniqueID).append(to: &bytes)
            bytes.append(counted: reason)
        case .directory(let change): change.append(to: &bytes)
        }
    }
}
