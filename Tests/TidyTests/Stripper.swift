/// Separates a file's code, strings and comments, keeping every byte in its line and column.
struct Stripper {
    /// The text without comments and without what string literals hold.
    private(set) var code: [UInt8]
    /// The text without comments.
    private(set) var uncommented: [UInt8]
    /// Nothing but the comments.
    private(set) var comments: [UInt8]

    private let bytes: [UInt8]
    private let language: SourceText.Language
    private var index = 0

    init(text: String, language: SourceText.Language) {
        bytes = Array(text.utf8)
        self.language = language
        code = bytes
        uncommented = bytes
        comments = bytes.map { $0 == Self.newline ? $0 : Self.space }
    }

    mutating func run() {
        guard language != .other else { return }
        scanCode(untilParenthesisCloses: false)
    }

    private mutating func scanCode(untilParenthesisCloses: Bool) {
        var depth = 0
        while index < bytes.count {
            if skipComment() || skipString() {
                continue
            }
            if untilParenthesisCloses {
                if at("(") { depth += 1 }
                if at(")") {
                    if depth == 0 { return }
                    depth -= 1
                }
            }
            index += 1
        }
    }

    // MARK: Comments

    private mutating func skipComment() -> Bool {
        let start = index
        if at(language == .python ? "#" : "//") {
            while index < bytes.count, bytes[index] != Self.newline { index += 1 }
        } else if language != .python, at("/*") {
            skipBlockComment()
        } else {
            return false
        }
        for position in start..<index where bytes[position] != Self.newline {
            comments[position] = bytes[position]
            code[position] = Self.space
            uncommented[position] = Self.space
        }
        return true
    }

    private mutating func skipBlockComment() {
        var depth = 0
        repeat {
            if at("/*"), depth == 0 || language == .swift {
                depth += 1
                index += 2
            } else if at("*/") {
                depth -= 1
                index += 2
            } else {
                index += 1
            }
        } while depth > 0 && index < bytes.count
        index = min(index, bytes.count)
    }

    // MARK: Strings

    /// Skips a literal; the quotes stay in `code`, and so does what Swift interpolates.
    private mutating func skipString() -> Bool {
        let hashes = language == .swift ? count(of: UInt8(ascii: "#")) : 0
        guard let quote = quote(at: index + hashes) else { return false }
        index += hashes + quote.utf8.count
        let pounds = String(repeating: "#", count: hashes)
        let mayHoldLines = quote.utf8.count == 3
        while index < bytes.count, !at(quote + pounds) {
            if at("\\" + pounds) {
                skipEscape(length: 1 + hashes)
            } else if bytes[index] == Self.newline, !mayHoldLines {
                return true  // Not closed on its line: not a literal that would compile.
            } else {
                blankString(1)
            }
        }
        index = min(index + quote.utf8.count + hashes, bytes.count)
        return true
    }

    private mutating func skipEscape(length: Int) {
        blankString(length)
        guard language == .swift, at("(") else { return blankString(1) }
        index += 1
        scanCode(untilParenthesisCloses: true)
        index += 1
    }

    private mutating func blankString(_ length: Int) {
        for position in index..<min(index + length, bytes.count)
        where bytes[position] != Self.newline {
            code[position] = Self.space
        }
        index += length
    }

    private func quote(at position: Int) -> String? {
        let kinds: [String] =
            switch language {
            case .swift: ["\"\"\"", "\""]
            case .c: ["\"", "'"]
            case .python: ["\"\"\"", "'''", "\"", "'"]
            case .other: []
            }
        return kinds.first { starts(with: $0, at: position) }
    }

    // MARK: Bytes

    private func count(of byte: UInt8) -> Int {
        bytes[index...].prefix { $0 == byte }.count
    }

    private func at(_ text: String) -> Bool {
        starts(with: text, at: index)
    }

    private func starts(with text: String, at position: Int) -> Bool {
        position + text.utf8.count <= bytes.count && bytes[position...].starts(with: text.utf8)
    }

    private static let newline = UInt8(ascii: "\n")
    private static let space = UInt8(ascii: " ")
}
