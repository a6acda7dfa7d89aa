import Bytes
import HTTPWire
import JSON

/// The parameters that routes know. The raw value is the name on the wire.
enum ParameterName: String, CaseIterable {
    case uniqueID = "unique_id"
    case scriptName = "script_name"
    case hostName = "host_name"
    case fileName = "file_name"
    case startTime = "start_time"
    case stopTime = "stop_time"
    case notes
    case updatedIn = "updated_in"
    case token
    case applicationView = "application_view"
    case application
    case sessionView = "session_view"
    case expectedRevision = "expected_revision"
    case revision
    case name
    case kind
    case permissions
    case id
    case node
    case reason
    case policy
    case dryRun = "dry_run"
    case from
    case address
}

/// What a request holds of one parameter.
enum ParameterValue: Equatable {
    case absent
    /// Text, unescaped, as a range of `ParameterSet.text`.
    case text(Range<Int>)
    /// A value of another type than string, as a node of `ParameterSet.document`.
    case value(node: Int)
}

/// The parameters of one request, out of its body and its query string. Reused.
struct ParameterSet {
    private static let namesByLength: [[ParameterName]] = {
        var table: [[ParameterName]] = Array(repeating: [], count: 32)
        for name in ParameterName.allCases { table[name.rawValue.utf8.count].append(name) }
        return table
    }()

    private(set) var document = JSONDocument()
    private var query = QueryParameters()
    private var values: [ParameterValue] = []
    /// The unescaped text of string parameters; other code may append behind it.
    var text: [UInt8] = []

    init() {}

    subscript(name: ParameterName) -> ParameterValue { values[Self.place(name)] }

    /// Whether the text in `range` is empty.
    func isEmpty(_ name: ParameterName) -> Bool {
        if case .text(let range) = self[name] { range.isEmpty } else { false }
    }

    /// Reads the parameters of a JSON body and a query string; the body wins.
    mutating func read(
        _ bytes: Span<UInt8>, body: Range<Int>, query queryRange: Range<Int>?
    ) throws(Refusal) {
        reset()
        var count = 0
        if !body.isEmpty { count += try readBody(bytes, body) }
        if let queryRange { count += try readQuery(bytes, queryRange) }
        guard count > 0 else { throw Refusal(.noParamsDecoded) }
    }

    private mutating func reset() {
        values.removeAll(keepingCapacity: true)
        for _ in ParameterName.allCases { values.append(.absent) }
        text.removeAll(keepingCapacity: true)
    }

    private mutating func readBody(
        _ bytes: Span<UInt8>, _ body: Range<Int>
    ) throws(Refusal) -> Int {
        do {
            try document.parse(bytes, in: body)
        } catch {
            throw Refusal(
                .invalidEncodedParams,
                "The body is not well-formed JSON: \(error.kind) at byte "
                    + "\(error.offset - body.lowerBound).")
        }
        guard document.kind(document.root) == .object else { return 0 }
        return readObject(document.root, bytes)
    }

    /// Reads the members of the object at `object`; returns how many it has.
    private mutating func readObject(_ object: Int, _ bytes: Span<UInt8>) -> Int {
        var count = 0
        var name = document.firstChild(of: object)
        while let current = name {
            count += 1
            let value = document.value(of: current)
            if let known = known(current, bytes), document.kind(value) != .null {
                if document.kind(value) == .string {
                    let start = text.count
                    document.appendUnescaped(value, from: bytes, to: &text)
                    values[Self.place(known)] = .text(start..<text.count)
                } else {
                    values[Self.place(known)] = .value(node: value)
                }
            }
            name = document.nextName(after: current, in: object)
        }
        return count
    }

    /// Reads the event that is the element at `element` of a document parsed before.
    mutating func read(
        _ element: Int, of parsed: JSONDocument, _ bytes: Span<UInt8>
    ) throws(Refusal) {
        reset()
        document = parsed
        guard document.kind(element) == .object, readObject(element, bytes) > 0 else {
            throw Refusal(.noParamsDecoded)
        }
    }

    private func known(_ name: Int, _ bytes: Span<UInt8>) -> ParameterName? {
        let node = document[name]
        let candidates: [ParameterName]
        if node.hasEscapes {
            candidates = ParameterName.allCases
        } else {
            guard node.content.count < Self.namesByLength.count else { return nil }
            candidates = Self.namesByLength[node.content.count]
        }
        for candidate in candidates
        where document.equals(name, candidate.rawValue.utf8Span.span, in: bytes) {
            return candidate
        }
        return nil
    }

    private mutating func readQuery(
        _ bytes: Span<UInt8>, _ range: Range<Int>
    ) throws(Refusal) -> Int {
        do {
            try query.parse(bytes, in: range)
        } catch {
            throw Refusal(.invalidEncodedParams, "The query string is malformed: \(error).")
        }
        for parameter in query.parameters {
            guard
                let name = ParameterName.allCases.first(where: {
                    query.text.span.equals($0.rawValue.utf8Span.span, in: parameter.name)
                }), self[name] == .absent
            else { continue }
            let start = text.count
            text.append(contentsOf: query.text[parameter.value])
            values[Self.place(name)] = .text(start..<text.count)
        }
        return query.parameters.count
    }

    private static func place(_ name: ParameterName) -> Int {
        switch name {
        case .uniqueID: 0
        case .scriptName: 1
        case .hostName: 2
        case .fileName: 3
        case .startTime: 4
        case .stopTime: 5
        case .notes: 6
        case .updatedIn: 7
        case .token: 8
        case .applicationView: 9
        case .application: 10
        case .sessionView: 11
        case .expectedRevision: 12
        case .revision: 13
        case .name: 14
        case .kind: 15
        case .permissions: 16
        case .id: 17
        case .node: 18
        case .reason: 19
        case .policy: 20
        case .dryRun: 21
        case .from: 22
        case .address: 23
        }
    }
}
