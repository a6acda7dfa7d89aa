import Bytes
import Testing

@testable import Records

/// Bytes that are no entry, no record or no payload, and are told apart from ones that are.
@Suite struct DamageTests {
    static let names =
        ["genesis", "events", "directory", "directory-revoke", "no-operation"]
        + Golden.controls.map(\.name)

    @Test(arguments: names)
    func `every truncation of an entry is detected`(name: String) throws {
        let whole = try Golden.bytes(name)
        for count in 0..<whole.count {
            #expect(throws: EntryDefect.self) { try Entry(verifying: Array(whole[..<count])) }
        }
        #expect(throws: EntryDefect.self) { try Entry(verifying: whole + [0]) }
    }

    @Test(arguments: names)
    func `every single flipped bit of an entry is detected`(name: String) throws {
        var bytes = try Golden.bytes(name)
        for bit in 0..<(bytes.count * 8) {
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(throws: EntryDefect.self, "bit \(bit)") { try Entry(verifying: bytes) }
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
        }
        _ = try Entry(verifying: bytes)
    }

    @Test func `defects name what is wrong`() throws {
        var bytes = try Golden.bytes("no-operation")
        let zeros = [UInt8](repeating: 0, count: 64)
        #expect(throws: EntryDefect.zeroed) { try Entry(verifying: zeros) }
        #expect(throws: EntryDefect.truncated(have: 3, need: 56)) {
            try Entry(verifying: [1, 2, 3])
        }
        bytes[0] = 9
        #expect(throws: EntryDefect.format(9)) { try Entry(verifying: bytes) }
        bytes[0] = 1
        bytes[1] = 14
        #expect(throws: EntryDefect.kind(14)) { try Entry(verifying: bytes) }
        bytes[1] = 3
        bytes.put(littleEndian: UInt32(Limits.entryBytes + 8), at: 4)
        #expect(throws: EntryDefect.length(UInt32(Limits.entryBytes + 8))) {
            try Entry(verifying: bytes)
        }
    }

    @Test func `a record that ends early or late is no record`() throws {
        var event = TestEvent()
        event.notes = "[1]"
        event.stopTime = event.startTime
        event.updatedIn = "x"
        let whole = try event.record()
        for count in 0..<whole.count {
            let cut = Array(whole[..<count])
            #expect(throws: EntryDefect.self) {
                try RecordView(decoding: cut.span, at: 0, end: count)
            }
            // The same, with a length that claims to be right.
            guard count >= 4 else { continue }
            var patched = cut
            patched.put(littleEndian: UInt32(count), at: 0)
            #expect(throws: EntryDefect.self, "\(count) bytes") {
                try RecordView(decoding: patched.span, at: 0, end: count)
            }
        }
        var long = whole + [0]
        long.put(littleEndian: UInt32(long.count), at: 0)
        #expect(throws: EntryDefect.record(offset: whole.count)) {
            try RecordView(decoding: long.span, at: 0, end: long.count)
        }
    }

    @Test func `a record of another format or resource is no record`() throws {
        let whole = try TestEvent().record()
        for (offset, value) in [
            (RecordLayout.resourceOffset, UInt8(2)), (RecordLayout.resourceOffset, 3),
            (RecordLayout.resourceOffset, 9), (RecordLayout.canonicalOffset, 2),
            (RecordLayout.canonicalOffset + 1, 2),
        ] {
            var bytes = whole
            bytes[offset] = value
            #expect(throws: EntryDefect.record(offset: 0), "\(offset) = \(value)") {
                try RecordView(decoding: bytes.span, at: 0, end: bytes.count)
            }
        }
    }

    @Test(arguments: Golden.controls.indices)
    func `every truncation of a control payload is detected, and a byte too many`(
        place: Int
    ) throws {
        let payload = Golden.controls[place].payload
        var body: [UInt8] = []
        payload.append(to: &body)
        // An empty SEAL is a SEAL.
        let first = payload.kind == .seal ? 1 : 0
        for count in first..<max(body.count, first) {
            #expect(throws: ByteDefect.self, "\(count) bytes") {
                var cursor = ByteCursor(0..<count)
                _ = try ControlPayload(payload.kind, &cursor, body.span)
            }
        }
        body.append(0)
        #expect(throws: ByteDefect.self) {
            var cursor = ByteCursor(0..<body.count)
            _ = try ControlPayload(payload.kind, &cursor, body.span)
        }
    }

    @Test func `control payloads that contradict themselves are refused`() throws {
        func refused(_ kind: EntryKind, _ body: [UInt8]) {
            #expect(throws: ByteDefect.self, "\(kind) \(body.count)") {
                var cursor = ByteCursor(0..<body.count)
                _ = try ControlPayload(kind, &cursor, body.span)
            }
        }
        func body(_ payload: ControlPayload) -> [UInt8] {
            var body: [UInt8] = []
            payload.append(to: &body)
            return body
        }
        let row = { (id: UInt32, role: Membership.Role) in
            Membership.Row(
                id: NodeID(id), role: role, incarnation: Identifier(high: 1, low: 2), address: "a")
        }
        refused(.membership, body(.membership(Membership(members: []))))
        refused(.membership, body(.membership(Membership(members: [row(1, .learner)]))))
        for (left, right) in [(2, 1), (1, 1)] as [(UInt32, UInt32)] {
            refused(
                .membership,
                body(.membership(Membership(members: [row(left, .voter), row(right, .voter)]))))
        }
        let many = (1...UInt32(Limits.members + 1)).map { row($0, .voter) }
        refused(.membership, body(.membership(Membership(members: many))))
        refused(.compactDone, body(.compactDone(compaction: LogIndex(9), outputs: [])))
        var tooMany: [UInt8] = []
        tooMany.append(littleEndian: UInt64(9))
        tooMany.append(littleEndian: UInt32.max)
        refused(.compactDone, tooMany)
        for kind in [EntryKind.genesis, .events, .noOperation, .directory] { refused(kind, []) }
        var role = body(.membership(Membership(members: [row(1, .voter)])))
        role[8] = 3
        refused(.membership, role)
    }

    @Test(arguments: ["record-stub", "record-erased"])
    func `every truncation of a stub is detected, whatever length it claims`(name: String) throws {
        let whole = try Golden.bytes(name)
        for count in 0..<whole.count {
            var cut = Array(whole[..<count])
            if count >= 4 { cut.put(littleEndian: UInt32(count), at: 0) }
            #expect(throws: EntryDefect.self, "\(count) bytes") {
                try RecordStub(decoding: cut.span, in: 0..<count)
            }
        }
        var long = whole + [0]
        long.put(littleEndian: UInt32(long.count), at: 0)
        #expect(throws: EntryDefect.self) {
            try RecordStub(decoding: long.span, in: 0..<long.count)
        }
        for (offset, value) in [(4, UInt8(1)), (4, 9), (8, 2)] {
            var bytes = whole
            bytes[offset] = value
            #expect(throws: EntryDefect.self, "\(offset) = \(value)") {
                try RecordStub(decoding: bytes.span, in: 0..<bytes.count)
            }
        }
    }
}
