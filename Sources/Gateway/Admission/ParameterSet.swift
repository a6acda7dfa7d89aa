import Bytes
import HTTPWire
import JSON

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
        for name in ParameterName.allCases { table[name.text.utf8.count].append(name) }
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

    /// Reads the parameters of a JSON body and a query string; the body wins. `queryBytes`: where the
    /// query is, if that is not where the body is.
    mutating func read(
        _ bytes: Span<UInt8>, body: Range<Int>, query queryRange: Range<Int>?,
        in queryBytes: [UInt8]? = nil
    ) throws(Refusal) {
        reset()
        var count = 0
        if !body.isEmpty { count += try readBody(bytes, body) }
        if let queryRange {
            if let queryBytes {
                count += try readQuery(queryBytes.span, queryRange)
            } else {
                count += try readQuery(bytes, queryRange)
            }
        }
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
                set(known, to: value, bytes)
            } else if document.kind(value) == .object, isGroup(current, bytes) {
                readGroup(current, value, bytes)
            }
            name = document.nextName(after: current, in: object)
        }
        return count
    }

    private mutating func set(_ name: ParameterName, to value: Int, _ bytes: Span<UInt8>) {
        guard document.kind(value) == .string else {
            values[Self.place(name)] = .value(node: value)
            return
        }
        let start = text.count
        document.appendUnescaped(value, from: bytes, to: &text)
        values[Self.place(name)] = .text(start..<text.count)
    }

    // MARK: Groups: `{"page":{"size":10}}` is `page.size`

    private func isGroup(_ name: Int, _ bytes: Span<UInt8>) -> Bool {
        document.equals(name, "page", in: bytes) || document.equals(name, "search", in: bytes)
            || document.equals(name, "sort", in: bytes)
    }

    /// Reads the members of the group at `object`; what stands under the whole name wins.
    private mutating func readGroup(_ group: Int, _ object: Int, _ bytes: Span<UInt8>) {
        guard let prefix = document.string(group, from: bytes) else { return }
        var member = document.firstChild(of: object)
        while let current = member {
            let value = document.value(of: current)
            if let text = document.string(current, from: bytes), document.kind(value) != .null,
                let name = ParameterName.allCases.first(where: { $0.text == "\(prefix).\(text)" }),
                self[name] == .absent
            {
                set(name, to: value, bytes)
            }
            member = document.nextName(after: current, in: object)
        }
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
        where document.equals(name, candidate.text.utf8Span.span, in: bytes) {
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
                    query.text.span.equals($0.text.utf8Span.span, in: parameter.name)
                }), self[name] == .absent
            else { continue }
            let start = text.count
            text.append(contentsOf: query.text[parameter.value])
            values[Self.place(name)] = .text(start..<text.count)
        }
        return query.parameters.count
    }

    private static func place(_ name: ParameterName) -> Int { Int(name.rawValue) }
}
