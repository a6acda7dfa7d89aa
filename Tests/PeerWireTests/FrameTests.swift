import Bytes
import Records
import Testing

@testable import PeerWire

@Suite struct FrameTests {
    private static let stream: [UInt8] = Sample.written { bytes in
        for sample in Sample.closed {
            Frame.append(sample.kind, to: &bytes) { $0 += sample.payload }
        }
        Frame.append(.directory, to: &bytes) { _ in }
    }

    private static func buffer() -> FrameBuffer {
        var buffer = FrameBuffer()
        buffer.payloadLimit = Frame.payloadBytes
        return buffer
    }

    /// All frames that are there, compacting after each round of them.
    private func drain(
        _ buffer: inout FrameBuffer, into frames: inout [(FrameKind, [UInt8])]
    ) throws(FrameDefect) {
        while let (kind, payload) = try buffer.next() {
            frames.append((kind, Array(buffer.bytes[payload])))
        }
        buffer.compact()
    }

    private func check(_ frames: [(FrameKind, [UInt8])]) {
        #expect(frames.map(\.0) == Sample.closed.map(\.kind) + [.directory])
        #expect(frames.map(\.1) == Sample.closed.map(\.payload) + [[]])
    }

    @Test func `a stream cut in two anywhere gives the same frames`() throws {
        for cut in 0...Self.stream.count {
            var buffer = Self.buffer()
            var frames: [(FrameKind, [UInt8])] = []
            buffer.bytes += Self.stream[..<cut]
            try drain(&buffer, into: &frames)
            buffer.bytes += Self.stream[cut...]
            try drain(&buffer, into: &frames)
            check(frames)
            #expect(buffer.bytes.isEmpty)
        }
    }

    @Test(arguments: [1, 2, 3, 7, 12, 13, 64])
    func `a stream in small pieces gives the same frames`(size: Int) throws {
        var buffer = Self.buffer()
        var frames: [(FrameKind, [UInt8])] = []
        var offset = 0
        while offset < Self.stream.count {
            let end = min(offset + size, Self.stream.count)
            buffer.bytes += Self.stream[offset..<end]
            try drain(&buffer, into: &frames)
            offset = end
        }
        check(frames)
    }

    @Test func `a truncated frame waits for the rest`() throws {
        let frame = Sample.written { Frame.append(.status, to: &$0) { $0 += [1, 2, 3] } }
        for count in 0..<frame.count {
            var buffer = Self.buffer()
            buffer.bytes += frame[..<count]
            let next = try buffer.next()
            #expect(next == nil, "\(count) bytes")
        }
    }

    @Test(arguments: Sample.closed.indices)
    func `no frame with a flipped bit comes out`(place: Int) {
        let sample = Sample.closed[place]
        let frame = Sample.written { Frame.append(sample.kind, to: &$0) { $0 += sample.payload } }
        for bit in 0..<(frame.count * 8) {
            var buffer = Self.buffer()
            buffer.bytes = frame
            buffer.bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            let next = try? buffer.next()
            #expect(next == nil, "bit \(bit)")
        }
    }

    @Test func `defects of a frame are named`() {
        var frame = Sample.written { Frame.append(.status, to: &$0) { $0 += [1, 2, 3] } }
        func defect(_ frame: [UInt8], limit: Int = Frame.payloadBytes) -> FrameDefect? {
            var buffer = FrameBuffer()
            buffer.payloadLimit = limit
            buffer.bytes = frame
            do throws(FrameDefect) {
                _ = try buffer.next()
                return nil
            } catch {
                return error
            }
        }
        #expect(defect(frame) == nil)
        #expect(defect(frame, limit: 2) == .length(3, limit: 2))
        #expect(defect(frame, limit: 3) == nil)
        frame[12] = 0
        #expect(defect(frame) == .checksum)
        frame[4] = 99
        #expect(defect(frame) == .kind(99))
        frame.put(littleEndian: UInt32(Frame.payloadBytes + 1), at: 0)
        #expect(
            defect(frame)
                == .length(UInt32(Frame.payloadBytes + 1), limit: Frame.payloadBytes))
    }

    @Test func `an oversized length is refused before its payload arrives`() {
        for length in [UInt32(Frame.handshakePayloadBytes + 1), .max] {
            var buffer = FrameBuffer()
            buffer.bytes.append(littleEndian: length)
            buffer.bytes += [1, 0, 0, 0, 0, 0, 0, 0]
            #expect(throws: FrameDefect.length(length, limit: Frame.handshakePayloadBytes)) {
                _ = try buffer.next()
            }
        }
    }

    @Test func `the longest frame passes`() throws {
        var buffer = Self.buffer()
        let payload = [UInt8](repeating: 5, count: Frame.payloadBytes)
        Frame.append(.rows, to: &buffer.bytes) { $0 += payload }
        let next = try #require(try buffer.next())
        #expect(next.kind == .rows && next.payload.count == Frame.payloadBytes)
    }
}

@Suite struct HandshakeTests {
    private let mine = Handshake(
        role: .node, clusterID: Identifier(high: 1, low: 2), node: NodeID(1),
        incarnation: Identifier(high: 3, low: 4))

    private func other(
        role: PeerRole = .node, cluster: UInt64 = 1, node: NodeID? = NodeID(2),
        versions: ClosedRange<UInt16> = 3...3
    ) -> Handshake {
        Handshake(
            role: role, clusterID: Identifier(high: cluster, low: 2), node: node,
            incarnation: Identifier(high: 5, low: 6), versions: versions)
    }

    @Test func `a member and a gateway of the same cluster are talked to`() {
        #expect(mine.objection(to: other()) == nil)
        #expect(mine.objection(to: other(role: .gateway, node: nil)) == nil)
        #expect(mine.objection(to: other(versions: 1...9)) == nil)
    }

    @Test func `objections name what differs`() {
        for (handshake, part) in [
            (other(versions: 4...5), "version 4...5"), (other(versions: 1...1), "version 1...1"),
            (other(cluster: 9), "cluster"), (other(node: nil), "without an id"),
            (other(node: NodeID(1)), "node id 1 is mine"),
        ] {
            let objection = mine.objection(to: handshake)
            #expect(objection?.contains(part) == true, "\(objection ?? "none")")
        }
    }

    @Test func `a refusal carries its reason, and damage is no crash`() {
        for code in HandshakeRefusal.Code.allCases {
            let refusal = HandshakeRefusal(code, "another cluster")
            let payload = Sample.written { refusal.append(to: &$0) }
            #expect(HandshakeRefusal(0..<payload.count, payload.span) == refusal)
            for count in 0..<(payload.count - 1) {
                let read = HandshakeRefusal(0..<count, payload.span)
                #expect(read == HandshakeRefusal(.other, "no reason that can be read"))
            }
        }
    }

    @Test func `a node says in its hello what it has on disk`() throws {
        let claim = Handshake.Claim(
            term: Term(7), last: LogPosition(term: Term(6), index: LogIndex(99)))
        let hello = mine.claiming(claim)
        let payload = Sample.written { hello.append(to: &$0) }
        #expect(try Handshake(0..<payload.count, payload.span) == hello)
        #expect(throws: ByteDefect.self) {
            try Handshake(0..<(payload.count - 1), payload.span)
        }
    }
}
