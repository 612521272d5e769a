/// A value of JSON (RFC 8259), for output that other programs read.
///
/// The standard library has no writer, and Foundation's is no part of this tool.
///
/// > Thread: Any thread.
indirect enum JSONValue {
    case null
    case bool(Bool)
    case integer(Int)
    /// A finite number; any other is written as null, since JSON has none.
    case number(Double)
    case string(String)
    case array([JSONValue])
    /// Members in this order; names are given once.
    case object([(String, JSONValue)])

    /// The text, two blanks deeper for each level; a list of plain values stays on one line.
    func text(indent: String = "") -> String {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): "\(value)"
        case .number(let value): value.isFinite ? "\(value)" : "null"
        case .string(let value): Self.quoted(value)
        case .array(let values) where values.allSatisfy(\.isPlain):
            "[" + values.map { $0.text() }.joined(separator: ", ") + "]"
        case .array(let values): Self.block("[", values.map { ("", $0) }, "]", indent)
        case .object(let members):
            Self.block("{", members.map { (Self.quoted($0) + ": ", $1) }, "}", indent)
        }
    }

    /// The text on one line.
    var line: String {
        switch self {
        case .array(let values): "[" + values.map(\.line).joined(separator: ", ") + "]"
        case .object(let members):
            "{" + members.map { Self.quoted($0) + ": " + $1.line }.joined(separator: ", ") + "}"
        case .null, .bool, .integer, .number, .string: text()
        }
    }

    private var isPlain: Bool {
        switch self {
        case .array, .object: false
        case .null, .bool, .integer, .number, .string: true
        }
    }

    private static func block(
        _ opening: String,
        _ items: [(lead: String, value: JSONValue)],
        _ closing: String,
        _ indent: String
    ) -> String {
        guard !items.isEmpty else { return opening + closing }
        let deeper = indent + "  "
        let lines = items.map { deeper + $0.lead + $0.value.text(indent: deeper) }
        return "\(opening)\n\(lines.joined(separator: ",\n"))\n\(indent)\(closing)"
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case "\u{0}"..<" ", "\u{7F}": quoted += escaped(scalar)
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    /// A control character in its only general form: `\u001b`.
    private static func escaped(_ scalar: Unicode.Scalar) -> String {
        let digits = String(scalar.value, radix: 16)
        return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }
}

extension JSONValue: ExpressibleByStringLiteral {
    /// A string.
    init(stringLiteral value: String) { self = .string(value) }
}
