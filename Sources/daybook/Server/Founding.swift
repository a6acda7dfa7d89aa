import Crypto
import Linux
import Records
import Server

/// Making clusters and nodes: what `daybook init` does.
enum Founding {
    static let genesisLimit = 1_024 * 1_024

    /// Makes a new cluster: its genesis entry and its administrator's token.
    static func makeCluster(_ members: [Member], now: Timestamp) -> (genesis: Entry, token: String)
    {
        let secret = RandomBytes.make(count: TokenText.secretByteCount)
        let id = TokenID(RandomBytes.makeSeed())
        let administrator = TokenRow(
            id: id, kind: .administrator, application: "", name: "founding administrator",
            permissions: ["*"], secretDigest: SHA256().hash(secret), createdAt: now)
        let genesis = Genesis(
            clusterID: makeIdentifier(), members: members.sorted { $0.id < $1.id },
            administrator: administrator)
        let text = TokenText(kind: .administrator, id: id, secret: secret).text
        return (genesis.entry(createdAt: now), text)
    }

    /// Makes a cluster's files. The token goes first: a genesis without it could never be used.
    /// Durable on return.
    static func writeCluster(
        _ members: [Member], genesis genesisPath: String, token tokenPath: String
    ) throws -> Entry {
        let (entry, token) = makeCluster(members, now: now)
        try SmallFile.writeDurably(tokenPath, Array((token + "\n").utf8), mode: 0o600)
        try SmallFile.writeDurably(genesisPath, entry.bytes, mode: 0o600)
        return entry
    }

    static func makeIdentifier() -> Identifier {
        Identifier(high: RandomBytes.makeSeed(), low: RandomBytes.makeSeed())
    }

    /// Reads the genesis entry that `init cluster` wrote.
    static func readGenesis(_ path: String) throws -> (entry: Entry, genesis: Genesis) {
        let bytes = try SmallFile.read(path, limit: genesisLimit)
        guard let entry = try? Entry(verifying: bytes), let genesis = try? Genesis(entry) else {
            throw NodeFailure("\(path) is no genesis file: make one with `daybook init cluster`")
        }
        return (entry, genesis)
    }

    /// Reads `1=host:port,2=host:port`.
    static func members(_ text: String) throws -> [Member] {
        var members: [Member] = []
        for part in text.split(separator: ",") {
            let sides = part.split(separator: "=", maxSplits: 1)
            guard sides.count == 2, let number = UInt32(sides[0]), number > 0,
                !members.contains(where: { $0.id == NodeID(number) })
            else {
                throw NodeFailure(
                    "\"\(part)\" is no member: write ID=HOST:PORT, each id once, from 1")
            }
            members.append(Member(id: NodeID(number), address: String(sides[1])))
        }
        guard !members.isEmpty, members.count <= Limits.members else {
            throw NodeFailure("a cluster has 1 to \(Limits.members) members")
        }
        return members
    }

    static var now: Timestamp { Timestamp(microseconds: Clock.wallMicroseconds()) }
}
