import Bytes
import JSON

// Reading parameters by what the route table says of them; faults come in the order of the reading.

extension GatewayCore {
    /// The text of a parameter; nil when it is absent, or faulty.
    mutating func text(_ name: ParameterName, of route: Route) -> String? {
        let rule = route.parameter(name)
        guard case .text(let limit, let isName) = rule.kind else {
            preconditionFailure("\(name.text) is no text")
        }
        switch set[name] {
        case .absent:
            if rule.isRequired { fault(name, .missing, "it is required") }
        case .value: fault(name, .wrongType, "a string")
        case .text(let range):
            if range.isEmpty {
                if rule.isRequired { fault(name, .empty, "at least one character") }
            } else if range.count > limit {
                fault(name, .tooLong, "\(limit) bytes of UTF-8 at most")
            } else if isName,
                set.text[range].contains(where: { $0 < 0x20 || $0 == 0x7F })
            {
                fault(name, .notAllowed, "no control characters")
            } else {
                return String(decoding: set.text[range], as: UTF8.self)
            }
        }
        return nil
    }

    /// A flag; in a query string `true` or `false`.
    mutating func flag(_ name: ParameterName) -> Bool? {
        switch set[name] {
        case .absent: return nil
        case .value(let node):
            if let value = set.document.boolean(node) { return value }
        case .text(let range):
            if range.isEmpty { return nil }
            if set.text[range].elementsEqual("true".utf8) { return true }
            if set.text[range].elementsEqual("false".utf8) { return false }
        }
        fault(name, .wrongType, "true or false")
        return nil
    }

    /// A whole number in `range`; in a query string its digits.
    mutating func number(
        _ name: ParameterName, in range: ClosedRange<Int64>, _ bytes: Span<UInt8>
    ) -> Int64? {
        switch set[name] {
        case .absent: return nil
        case .value(let node):
            if let value = set.document.integer(node, from: bytes), range.contains(value) {
                return value
            }
        case .text(let place):
            if place.isEmpty { return nil }
            let digits = set.text[place]
            if digits.allSatisfy({ (0x30...0x39).contains($0) }),
                let value = Int64(String(decoding: digits, as: UTF8.self)), range.contains(value)
            {
                return value
            }
        }
        fault(name, .wrongType, "a whole number from \(range.lowerBound) to \(range.upperBound)")
        return nil
    }

    /// An array of texts of 1 to 255 bytes; a single text stands for an array of it.
    mutating func texts(
        _ name: ParameterName, _ bytes: Span<UInt8>, limit: Int = 64
    ) -> [String]? {
        let node: Int
        switch set[name] {
        case .absent: return nil
        case .text(let range):
            guard !range.isEmpty else { return nil }
            if range.count <= Self.nameBytes {
                return [String(decoding: set.text[range], as: UTF8.self)]
            }
            fault(name, .tooLong, "\(Self.nameBytes) bytes of UTF-8 at most")
            return nil
        case .value(let found): node = found
        }
        guard set.document.kind(node) == .array else {
            fault(name, .wrongType, "an array of strings")
            return nil
        }
        var texts: [String] = []
        var element = set.document.firstChild(of: node)
        while let current = element {
            guard let text = set.document.string(current, from: bytes) else {
                fault(name, .wrongType, "an array of strings")
                return nil
            }
            guard texts.count < limit, text.utf8.count <= Self.nameBytes else {
                fault(name, .tooLong, "\(limit) strings of \(Self.nameBytes) bytes at most")
                return nil
            }
            texts.append(text)
            element = set.document.next(after: current, in: node)
        }
        return texts
    }

    /// One of `slugs`, which stand for the cases.
    mutating func choice<Choice: RawRepresentable & CaseIterable>(
        _ name: ParameterName, _ standard: Choice
    ) -> Choice where Choice.RawValue == String {
        switch set[name] {
        case .absent: return standard
        case .value: fault(name, .wrongType, "a string")
        case .text(let range):
            guard !range.isEmpty else { return standard }
            if let choice = Choice(rawValue: String(decoding: set.text[range], as: UTF8.self)) {
                return choice
            }
            fault(
                name, .unrecognized, Choice.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return standard
    }

    mutating func fault(
        _ name: ParameterName, _ kind: ParameterFault.Kind, _ detail: String
    ) {
        reading.faults.append(ParameterFault(name.text, kind, detail))
    }

    /// Begins to gather faults.
    mutating func beginFaults() { reading.faults.removeAll(keepingCapacity: true) }

    /// Refuses when there were any, in the order in which the route has its parameters.
    mutating func judgeFaults(inOrderOf route: Route) throws(Refusal) {
        func place(_ fault: ParameterFault) -> Int {
            route.parameters.firstIndex { $0.name.text == fault.parameter } ?? .max
        }
        reading.faults.sort { place($0) < place($1) }
        try judgeFaults()
    }

    /// Refuses when there were any.
    func judgeFaults() throws(Refusal) {
        guard reading.faults.isEmpty else { throw Refusal.judging(reading.faults) }
    }
}
