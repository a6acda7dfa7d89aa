import Bytes
import JSON
import Records

/// Reads and judges the parameters of one event, all of them, in the order of the contract.
struct EventReading {
    var parameters = EventParameters()
    var expected: Revision?
    var applicationView = View.none
    var sessionView = View.none
    var faults: [ParameterFault] = []

    enum View: String, CaseIterable { case none, summary, full }

    /// Fills everything from `set`; `bytes` is what its document was parsed from.
    ///
    /// The ranges of `parameters` count in `set.text`, to which notes are appended.
    mutating func read(_ set: inout ParameterSet, _ bytes: Span<UInt8>, times: TimeReading) {
        faults.removeAll(keepingCapacity: true)
        parameters = EventParameters()
        parameters.uniqueID = required(.uniqueID, Limits.shortStringBytes, set)
        if let offset = controlCharacter(parameters.uniqueID, set.text.span) {
            fault(.uniqueID, .notAllowed, "no control characters; there is one at byte \(offset)")
        }
        parameters.scriptName = required(.scriptName, Limits.longStringBytes, set)
        parameters.hostName = required(.hostName, Limits.shortStringBytes, set)
        parameters.fileName = required(.fileName, Limits.longStringBytes, set)
        readTimes(set, times)
        readNotes(&set, bytes)
        parameters.updatedIn = optional(.updatedIn, Limits.shortStringBytes, set)
        readViews(set)
        readExpectedRevision(set, bytes)
    }

    private mutating func readTimes(_ set: ParameterSet, _ times: TimeReading) {
        parameters.startTime = required(.startTime, .max, set)
        if let started = time(.startTime, parameters.startTime, set, times) {
            parameters.startedAt = started
        }
        parameters.stopTime = optional(.stopTime, .max, set)
        guard let range = parameters.stopTime,
            let stopped = time(.stopTime, range, set, times)
        else { return }
        parameters.stoppedAt = stopped
        if parameters.startedAt != .absent, stopped < parameters.startedAt {
            fault(.stopTime, .beforeStart, "stop_time is earlier than start_time")
        }
    }

    private mutating func time(
        _ name: ParameterName, _ range: Range<Int>, _ set: ParameterSet, _ times: TimeReading
    ) -> Timestamp? {
        guard !range.isEmpty else { return nil }
        if range.count <= Limits.timeBytes, let time = times.timestamp(set.text.span, range) {
            return time
        }
        fault(
            name, .notATime,
            "RFC 3339, YYYY-MM-DD HH:MM:SS, or MM/DD/YYYY HH:MM:SS AM; a date alone is midnight")
        return nil
    }

    private mutating func readNotes(_ set: inout ParameterSet, _ bytes: Span<UInt8>) {
        switch set[.notes] {
        case .absent: break
        case .text(let range):
            if !range.isEmpty { fault(.notes, .wrongType, "an array of JSON values") }
        case .value(let node):
            guard set.document.kind(node) == .array else {
                return fault(.notes, .wrongType, "an array of JSON values")
            }
            let raw = set.document[node].range
            guard raw.count <= Limits.notesBytes else {
                return fault(.notes, .tooLong, "\(Limits.notesBytes) bytes at most, as sent")
            }
            let start = set.text.count
            set.text.append(bytes.extracting(raw))
            parameters.notes = start..<set.text.count
            let canonical = set.text.count
            set.document.appendCanonical(node, from: bytes, to: &set.text)
            parameters.canonicalNotes = canonical..<set.text.count
        }
    }

    /// Reads which views the request asks for; its faults are appended.
    mutating func readViews(_ set: ParameterSet) {
        applicationView = view(.applicationView, set)
        sessionView = view(.sessionView, set)
    }

    private mutating func readExpectedRevision(_ set: ParameterSet, _ bytes: Span<UInt8>) {
        expected = nil
        switch set[.expectedRevision] {
        case .absent: break
        case .text(let range):
            if !range.isEmpty { fault(.expectedRevision, .wrongType, "a whole number from 0") }
        case .value(let node):
            if let number = set.document.integer(node, from: bytes), number >= 0 {
                expected = Revision(UInt32(clamping: number))
            } else {
                fault(.expectedRevision, .wrongType, "a whole number from 0")
            }
        }
    }

    private mutating func view(_ name: ParameterName, _ set: ParameterSet) -> View {
        switch set[name] {
        case .absent: return .none
        case .value:
            fault(name, .wrongType, "a string: none, summary or full")
            return .none
        case .text(let range):
            guard !range.isEmpty else { return .none }
            let slug = String(decoding: set.text[range], as: UTF8.self)
            if let view = View(rawValue: slug) { return view }
            fault(name, .unrecognized, "none, summary or full")
            return .none
        }
    }

    private mutating func required(
        _ name: ParameterName, _ limit: Int, _ set: ParameterSet
    ) -> Range<Int> {
        switch set[name] {
        case .absent: fault(name, .missing, "it is required")
        case .value: fault(name, .wrongType, "a string")
        case .text(let range):
            if range.isEmpty {
                fault(name, .empty, "at least one character")
            } else if range.count > limit {
                fault(name, .tooLong, "\(limit) bytes of UTF-8 at most")
            } else {
                return range
            }
        }
        return 0..<0
    }

    private mutating func optional(
        _ name: ParameterName, _ limit: Int, _ set: ParameterSet
    ) -> Range<Int>? {
        switch set[name] {
        case .absent: return nil
        case .value:
            fault(name, .wrongType, "a string")
            return nil
        case .text(let range):
            guard !range.isEmpty else { return nil }
            guard range.count <= limit else {
                fault(name, .tooLong, "\(limit) bytes of UTF-8 at most")
                return nil
            }
            return range
        }
    }

    /// The place of the first control character (C0, DELETE or C1) in the text, or nil.
    private func controlCharacter(_ range: Range<Int>, _ text: Span<UInt8>) -> Int? {
        for offset in range {
            let byte = text[offset]
            let isC1 =
                byte == 0xC2 && offset + 1 < range.upperBound && text[offset + 1] < 0xA0
            if byte < 0x20 || byte == 0x7F || isC1 { return offset - range.lowerBound }
        }
        return nil
    }

    private mutating func fault(
        _ name: ParameterName, _ kind: ParameterFault.Kind, _ detail: String
    ) {
        faults.append(ParameterFault(name.text, kind, detail))
    }
}
