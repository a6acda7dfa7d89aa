import JSON

/// An answer's JSON with the bytes that it points into.
struct JSONAnswer {
    let bytes: [UInt8]
    private(set) var document = JSONDocument()

    /// An answer that is no JSON is the service's fault: nobody answers there that we know.
    init(_ bytes: [UInt8]) throws(CommandFailure) {
        self.bytes = bytes
        do throws(JSONDefect) {
            try document.parse(bytes.span)
        } catch {
            throw CommandFailure(.notReady, "the answer is no JSON: is this a daybook gateway?")
        }
    }

    func member(_ name: StaticString, _ object: Int) -> Int? {
        document.member(name, of: object, in: bytes.span)
    }

    func isTrue(_ name: StaticString, _ object: Int) -> Bool {
        member(name, object).flatMap { document.boolean($0) } ?? false
    }

    /// The member as people read it: a string's text, other values as they are written; a dash
    /// where there is none.
    func text(_ name: StaticString, _ object: Int) -> String {
        guard let node = member(name, object), document.kind(node) != .null else { return "-" }
        return document.string(node, from: bytes.span) ?? raw(node)
    }

    /// The value's bytes as they came.
    func raw(_ node: Int) -> String {
        String(decoding: bytes[document[node].range], as: UTF8.self)
    }

    /// The elements of the array in member `name`; none where it is no array.
    func elements(_ name: StaticString, _ object: Int) -> [Int] {
        guard let array = member(name, object), document.kind(array) == .array else { return [] }
        var found: [Int] = []
        var element = document.firstChild(of: array)
        while let current = element {
            found.append(current)
            element = document.next(after: current, in: array)
        }
        return found
    }
}
