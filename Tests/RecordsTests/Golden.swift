import Bytes
import Testing

@testable import Records

/// The golden bytes, and the values that they stand for. They were made by another program from the
/// tables of docs/reference/record-format.md, and never change once a version is released.
enum Golden {
    static let day = Timestamp(microseconds: 1_795_478_400_000_000)
    static let administrator = TokenID(0xAABB_CCDD_0011_2233)
    static let scripts = TokenID(0x0123_4567_89AB_CDEF)

    /// The bytes of `Golden/<name>.hex`: hexadecimal digits, `#` begins a comment line.
    static func bytes(_ name: String) throws -> [UInt8] {
        let text = try TextFile.read("Golden/\(name).hex")
        var digits: [UInt8] = []
        for line in text.split(separator: UInt8(ascii: "\n")) where line.first != UInt8(ascii: "#")
        {
            digits.append(contentsOf: line.filter { $0 != UInt8(ascii: " ") })
        }
        let decoded = Hex.decode(digits.span)
        return try #require(decoded)
    }

    static func entry(_ name: String) throws -> Entry { try Entry(verifying: bytes(name)) }

    static let genesis = Genesis(
        clusterID: Identifier(high: 0x0102_0304_0506_0708, low: 0x1112_1314_1516_1718),
        members: [
            Member(id: NodeID(1), address: "127.0.0.1:7401"),
            Member(id: NodeID(2), address: "127.0.0.1:7402"),
            Member(id: NodeID(3), address: "node-3.example:7403"),
        ],
        administrator: TokenRow(
            id: administrator, kind: .administrator, application: "", name: "first",
            permissions: ["*"], secretDigest: Array(0..<32), createdAt: day))

    static let events: [(TestEvent, Revision, salt: ClosedRange<UInt8>)] = [
        (TestEvent(), Revision(1), 0...15),
        (
            TestEvent(
                uniqueID: "Übung-2", startTime: "2026-11-24T03:11:25.123-07:00",
                stopTime: "2026-11-24T03:12:25-07:00",
                notes: "[ \"a\\n\",\n  {\"b\":1.0, \"a\":[]} ]", updatedIn: "filemaker"),
            Revision(2), 16...31
        ),
    ]

    static let commands: [(name: String, command: DirectoryCommand, salt: ClosedRange<UInt8>)] = [
        (
            "directory",
            DirectoryCommand(
                request: Identifier(high: 5, low: 6), author: administrator,
                change: .createToken(
                    TokenRow(
                        id: scripts, kind: .application, application: "planox2", name: "scripts",
                        permissions: ["audit_events_fmp/*", "events/*"],
                        secretDigest: Array(100..<132), createdAt: .absent))), 32...47
        ),
        (
            "directory-revoke",
            DirectoryCommand(
                request: Identifier(high: 7, low: 8), author: administrator,
                change: .revokeToken(scripts)), 48...63
        ),
    ]

    static func digest(_ byte: UInt8) -> Digest {
        Digest(Array(repeating: byte, count: Digest.byteCount))
    }

    static let heldMark = ClosedMark(genesis: genesis.clusterID).mark(of: Array("CASE-a1".utf8))

    static let retention: [(name: String, command: DirectoryCommand)] = [
        (
            "directory-compact",
            DirectoryCommand(
                request: Identifier(high: 9, low: 20), author: administrator,
                change: .compact(
                    CompactionOrder(
                        policy: .newerThan, keptMicroseconds: 259_200_000_000, sealsFirst: true)))
        ),
        (
            "directory-hold",
            DirectoryCommand(
                request: Identifier(high: 10, low: 21), author: administrator,
                change: .addHold(
                    NamedID(mark: heldMark, uniqueID: Array("CASE-a1".utf8)), reason: "court"))
        ),
        (
            "directory-release",
            DirectoryCommand(
                request: Identifier(high: 11, low: 22), author: administrator,
                change: .removeHold(NamedID(mark: heldMark, uniqueID: [])))
        ),
    ]

    static let controls: [(name: String, payload: ControlPayload)] = [
        ("seal-empty", .seal(nil)),
        (
            "seal",
            .seal(
                Seal(
                    stateTable: digest(0xAA),
                    voters: [
                        Seal.Voter(
                            id: NodeID(1), incarnation: Identifier(high: 1, low: 2),
                            acknowledged: LogPosition(term: Term(4), index: LogIndex(6))),
                        Seal.Voter(
                            id: NodeID(2), incarnation: Identifier(high: 3, low: 4),
                            acknowledged: LogPosition(term: Term(3), index: LogIndex(5))),
                    ]))
        ),
        (
            "membership",
            .membership(
                Membership(members: [
                    Membership.Row(
                        id: NodeID(1), role: .voter, incarnation: Identifier(high: 1, low: 2),
                        address: "127.0.0.1:7401"),
                    Membership.Row(
                        id: NodeID(4), role: .learner, incarnation: Identifier(high: 9, low: 10),
                        address: "127.0.0.1:7404"),
                ]))
        ),
        (
            "compact",
            .compact(
                Compaction(
                    inputs: [digest(1), digest(2)], cut: Sequence(1_000), policy: 1,
                    policyVersion: 2, timeBound: day, generation: 1))
        ),
        ("compact-done", .compactDone(compaction: LogIndex(9), outputs: [digest(3), digest(4)])),
        ("compact-abandoned", .compactAbandoned(compaction: LogIndex(9), .noMajority)),
        ("collect", .collect(compaction: LogIndex(9))),
        (
            "erase",
            .erase(
                Erasure(
                    request: Identifier(high: 11, low: 12), author: administrator,
                    closedMark: digest(0x5C), uniqueID: Array("CASE-a1".utf8),
                    reason: "asked for by the person"))
        ),
        ("checkpoint", .checkpoint(size: 3, root: digest(0x77))),
        ("upgrade", .upgrade(applyRules: 2)),
    ]
}
