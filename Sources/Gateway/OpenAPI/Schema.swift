import JSON

/// A JSON Schema (2020-12, as OpenAPI 3.1 has it), as far as the gateway's answers and parameters
/// need one.
indirect enum Schema: Sendable {
    case any
    /// A string of at most so many characters.
    case text(Int? = nil)
    /// A string of one line: no control characters.
    case name(Int)
    /// RFC 3339.
    case time
    case hexadecimal(Int)
    /// One of these strings.
    case words([String])
    case integer(ClosedRange<UInt64> = 0...(.max))
    case number
    case flag
    case constant(Bool)
    case code(Int)
    case array(Schema)
    case object([Member], isOpen: Bool = false)
    case null
    case either([Schema])
    /// A name under `components/schemas`.
    case reference(String)
    /// A string that is JSON in base64.
    case base64(Schema)

    struct Member: Sendable {
        let name: String
        let schema: Schema
        var isRequired = true
    }

    static func nullable(_ schema: Schema) -> Schema { .either([schema, .null]) }
}

extension Schema.Member {
    static func required(_ name: String, _ schema: Schema) -> Self {
        Self(name: name, schema: schema)
    }

    static func optional(_ name: String, _ schema: Schema) -> Self {
        Self(name: name, schema: schema, isRequired: false)
    }
}

extension Schema {
    /// Appends the schema as JSON.
    func append(to output: inout [UInt8]) {
        var object = JSONObjectWriter(to: &output)
        append(&object, to: &output)
        object.close(to: &output)
    }

    private func append(_ object: inout JSONObjectWriter, to output: inout [UInt8]) {
        switch self {
        case .any: break
        case .text(let limit):
            object.member("type", "string", to: &output)
            if let limit { object.member("maxLength", UInt64(limit), to: &output) }
        case .name(let limit):
            object.member("type", "string", to: &output)
            object.member("maxLength", UInt64(limit), to: &output)
            object.member("pattern", "^[^\\x00-\\x1f\\x7f]*$", to: &output)
        case .time:
            object.member("type", "string", to: &output)
            object.member("format", "date-time", to: &output)
        case .hexadecimal(let digits):
            object.member("type", "string", to: &output)
            object.member("pattern", "^[0-9a-f]{\(digits)}$", to: &output)
        case .words(let words):
            object.member("type", "string", to: &output)
            object.member("enum", words, to: &output)
        case .integer(let range):
            object.member("type", "integer", to: &output)
            object.member("minimum", range.lowerBound, to: &output)
            if range.upperBound < .max {
                object.member("maximum", range.upperBound, to: &output)
            }
        case .number: object.member("type", "number", to: &output)
        case .flag: object.member("type", "boolean", to: &output)
        case .constant(let value): object.member("const", value, to: &output)
        case .code(let code): object.member("const", UInt64(code), to: &output)
        case .null: object.member("type", "null", to: &output)
        case .reference(let name):
            object.member("$ref", "#/components/schemas/\(name)", to: &output)
        case .array, .object, .either, .base64: appendNested(&object, to: &output)
        }
    }

    private func appendNested(_ object: inout JSONObjectWriter, to output: inout [UInt8]) {
        switch self {
        case .array(let element):
            object.member("type", "array", to: &output)
            object.name("items", to: &output)
            element.append(to: &output)
        case .either(let schemas):
            object.name("anyOf", to: &output)
            var array = JSONArrayWriter(to: &output)
            for schema in schemas {
                array.element(to: &output)
                schema.append(to: &output)
            }
            array.close(to: &output)
        case .base64(let content):
            object.member("type", "string", to: &output)
            object.member("contentEncoding", "base64", to: &output)
            object.member("contentMediaType", "application/json", to: &output)
            object.name("contentSchema", to: &output)
            content.append(to: &output)
        case .object(let members, let isOpen):
            object.member("type", "object", to: &output)
            if !members.isEmpty {
                object.name("properties", to: &output)
                var properties = JSONObjectWriter(to: &output)
                for member in members {
                    properties.name(member.name, to: &output)
                    member.schema.append(to: &output)
                }
                properties.close(to: &output)
            }
            let required = members.filter(\.isRequired).map(\.name)
            if !required.isEmpty { object.member("required", required, to: &output) }
            if !isOpen { object.member("additionalProperties", false, to: &output) }
        default: preconditionFailure("\(self) holds no other schema")
        }
    }
}
