import Bytes
package import HTTPWire
import JSON
package import Records

/// A bulk body on its way, event by event: NDJSON, or one JSON array.
package struct BulkReading: Sendable {
    /// What became of the next event of the body.
    package enum Next: Sendable {
        /// Its draft was appended to `GatewayCore.draft`.
        case event(uniqueID: [UInt8], expected: Revision?)
        case refused(Refusal)
        case end
    }

    let bytes: [UInt8]
    private let end: Int
    private var offset: Int
    /// Of an array: the parsed body and the element that comes next.
    private var document: JSONDocument?
    private var element: Int?
    let credential: Credential

    /// Takes over the body. Throws when it is an array that is not well-formed.
    package init(
        _ bytes: [UInt8], isArray: Bool, credential: Credential
    ) throws(Refusal) {
        self.bytes = bytes
        self.credential = credential
        offset = 0
        end = bytes.count
        guard isArray else { return }
        var document = JSONDocument()
        do {
            try document.parse(bytes.span)
        } catch {
            throw Refusal(
                .invalidEncodedParams,
                "The body is not well-formed JSON: \(error.kind) at byte \(error.offset).")
        }
        guard document.kind(document.root) == .array else {
            throw Refusal(.noParamsDecoded, "The body is JSON, but not an array of events.")
        }
        element = document.firstChild(of: document.root)
        self.document = document
    }

    /// The next line that is not blank.
    fileprivate mutating func nextLine() -> Range<Int>? {
        while offset < end {
            let start = offset
            var lineEnd = start
            while lineEnd < end, bytes[lineEnd] != 0x0A { lineEnd += 1 }
            offset = lineEnd + 1
            let isBlank = (start..<lineEnd).allSatisfy {
                bytes[$0] == 0x20 || bytes[$0] == 0x09 || bytes[$0] == 0x0D
            }
            if !isBlank { return start..<lineEnd }
        }
        return nil
    }

    /// The next element of the array.
    fileprivate mutating func nextElement() -> (document: JSONDocument, node: Int)? {
        guard let document, let current = element else { return nil }
        element = document.next(after: current, in: document.root)
        return (document, current)
    }

    fileprivate var isArray: Bool { document != nil }
}

extension GatewayCore {
    /// Whether a bulk request's body is one array rather than lines.
    package func isArray(_ head: HTTPHead, _ bytes: Span<UInt8>) -> Bool {
        MediaType.isJSON(head.contentType, bytes)
    }

    /// Reads the next event of a bulk body and appends its draft to `draft`.
    package mutating func nextEvent(_ bulk: inout BulkReading) -> BulkReading.Next {
        do throws(Refusal) {
            if bulk.isArray {
                guard let (document, node) = bulk.nextElement() else { return .end }
                try set.read(node, of: document, bulk.bytes.span)
            } else {
                guard let line = bulk.nextLine() else { return .end }
                try set.read(bulk.bytes.span, body: line, query: nil)
            }
        } catch {
            return .refused(error)
        }
        return judgeElement(bulk)
    }

    private mutating func judgeElement(_ bulk: BulkReading) -> BulkReading.Next {
        let credential: Credential
        do throws(Refusal) {
            credential = try judgeApplication(bulk.credential)
            if credential.application != bulk.credential.application {
                try authorize(credential, ("audit_events_fmp", "create"))
            }
        } catch {
            return .refused(error)
        }
        reading.read(&set, bulk.bytes.span, times: times)
        guard reading.faults.isEmpty else { return .refused(Refusal.judging(reading.faults)) }
        encodeDraft(credential)
        return .event(
            uniqueID: Array(set.text[reading.parameters.uniqueID]), expected: reading.expected)
    }
}
