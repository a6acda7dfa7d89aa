import JSON

/// What the service says of one event.
enum LineAnswer: Equatable, Sendable {
    case recorded(sequence: UInt64)
    /// It was there already; the sequence is that of its record.
    case duplicate(sequence: UInt64)
    case refused(ServiceRefusal)
    /// Nothing was recorded, or nobody knows: to be sent again.
    case transient(ServiceRefusal)
    /// No event of this client will be taken any more.
    case fatal(ServiceRefusal)

    /// Reads one line of a bulk answer; nil when it is none.
    init?(_ line: [UInt8]) {
        var document = JSONDocument()
        guard (try? document.parse(line.span)) != nil else { return nil }
        let root = document.root
        func integer(_ name: StaticString, _ object: Int) -> Int64? {
            document.member(name, of: object, in: line.span).flatMap {
                document.integer($0, from: line.span)
            }
        }
        guard let code = integer("code", root) else { return nil }
        if code == 200 {
            guard let data = document.member("data", of: root, in: line.span),
                let sequence = integer("sequence", data).flatMap(UInt64.init(exactly:))
            else { return nil }
            let isDuplicate = document.member("duplicate", of: data, in: line.span).flatMap {
                document.boolean($0)
            }
            self =
                isDuplicate == true ? .duplicate(sequence: sequence) : .recorded(sequence: sequence)
            return
        }
        let refusal = ServiceRefusal(code: Int(code), document, root, line)
        if refusal.isTransient {
            self = .transient(refusal)
        } else if refusal.slug == "invalid-token" {
            self = .fatal(refusal)
        } else {
            self = .refused(refusal)
        }
    }
}
