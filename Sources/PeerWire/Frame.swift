import Bytes

/// What a frame carries. The numbers are the wire's; docs/reference/peer-protocol.md lists them.
package enum FrameKind: UInt8, Sendable {
    // Handshake.
    case hello = 1
    case welcome = 2
    case refusal = 3
    // Between nodes.
    case voteRequest = 16
    case voteResponse = 17
    case appendRequest = 18
    case appendResponse = 19
    case timeoutNow = 20
    case installHint = 21
    case fetch = 24
    case fetched = 25
    case nodeHealth = 26
    case compactionReport = 27
    // From a gateway or tool to a node.
    case submit = 32
    case query = 33
    case command = 34
    case clusterCommand = 35
    case sessionUses = 36
    case mailReports = 37
    // From a node to a gateway or tool.
    case receipts = 48
    case rows = 49
    case commandAnswer = 50
    case status = 51
    case directory = 52
    case clusterAnswer = 53
    case directoryChange = 54

    /// Whether it says what the sender has, or grants: it counts from a known disk only.
    package var isAnswer: Bool {
        switch self {
        case .voteResponse, .appendResponse, .compactionReport, .nodeHealth: true
        default: false
        }
    }
}

/// Why a stream of frames cannot be read on; the connection is closed.
package enum FrameDefect: Error, Equatable, Sendable {
    case kind(UInt8)
    case length(UInt32, limit: Int)
    case checksum
}

/// One frame: length of the payload (4), kind (1), zero (3), CRC-32C of these eight bytes and the
/// payload (4), payload.
package enum Frame {
    package static let headerByteCount = 12
    /// Payload bytes of the longest frame. A longer one closes the connection.
    package static let payloadBytes = 20 * 1_024 * 1_024
    /// Payload bytes of the longest frame before the handshake is done.
    package static let handshakePayloadBytes = 4_096

    /// Appends a frame to `output`; `write` appends its payload.
    package static func append(
        _ kind: FrameKind, to output: inout [UInt8], _ write: (inout [UInt8]) -> Void
    ) {
        let start = output.count
        output.append(littleEndian: UInt32(0))
        output.append(littleEndian: UInt32(kind.rawValue))
        output.append(littleEndian: UInt32(0))
        write(&output)
        let length = output.count - start - headerByteCount
        precondition(length <= payloadBytes, "a frame of \(length) bytes")
        output.put(littleEndian: UInt32(length), at: start)
        let checksum = checksum(output.span, at: start, payloadByteCount: length)
        output.put(littleEndian: checksum, at: start + 8)
    }

    static func checksum(_ bytes: Span<UInt8>, at offset: Int, payloadByteCount: Int) -> UInt32 {
        let payload = (offset + headerByteCount)..<(offset + headerByteCount + payloadByteCount)
        let head = CRC32C.checksum(bytes.extracting(offset..<(offset + 8)))
        return CRC32C.checksum(bytes.extracting(payload), continuing: head)
    }
}

/// Received bytes of one connection, cut into frames.
///
/// The driver appends what it read and takes frames until there is none; a payload's range is valid
/// in `bytes` until the next `compact`.
package struct FrameBuffer {
    package var bytes: [UInt8] = []
    private var start = 0
    /// Raised from the handshake's limit once the handshake is done.
    package var payloadLimit = Frame.handshakePayloadBytes

    package init() {}

    /// The next whole frame, or nil when more bytes are needed.
    package mutating func next() throws(FrameDefect) -> (kind: FrameKind, payload: Range<Int>)? {
        guard bytes.count - start >= Frame.headerByteCount else { return nil }
        let length = bytes.span.littleEndian(UInt32.self, at: start)
        guard length <= payloadLimit else { throw .length(length, limit: payloadLimit) }
        let end = start + Frame.headerByteCount + Int(length)
        guard end <= bytes.count else { return nil }
        guard let kind = FrameKind(rawValue: bytes[start + 4]) else {
            throw .kind(bytes[start + 4])
        }
        let checksum = Frame.checksum(bytes.span, at: start, payloadByteCount: Int(length))
        guard bytes.span.littleEndian(UInt32.self, at: start + 8) == checksum else {
            throw .checksum
        }
        let payload = (start + Frame.headerByteCount)..<end
        start = end
        return (kind, payload)
    }

    /// Drops the frames that were taken.
    package mutating func compact() {
        if start == bytes.count {
            bytes.removeAll(keepingCapacity: bytes.count <= 4 * 1_024 * 1_024)
        } else if start > 0 {
            bytes.removeFirst(start)
        }
        start = 0
    }
}
