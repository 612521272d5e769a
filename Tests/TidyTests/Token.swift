/// A word or one character of punctuation, in code whose comments and strings are blank.
struct Token: Equatable, Sendable {
    let text: String
    /// Counted from one.
    let line: Int
    /// No space stands between it and the token before.
    let followsDirectly: Bool
    /// A word in backticks is a name, never a keyword.
    let isQuoted: Bool

    var isWord: Bool {
        text.utf8.first.map(Self.isWordByte) ?? false
    }

    static func all(in code: [UInt8]) -> [Token] {
        var tokens: [Token] = []
        var line = 1
        var index = 0
        var endOfLast = -1
        while index < code.count {
            let byte = code[index]
            if byte == UInt8(ascii: "\n") { line += 1 }
            if byte <= UInt8(ascii: " ") || byte == UInt8(ascii: "`") {
                index += 1
                continue
            }
            var end = index + 1
            if isWordByte(byte) {
                while end < code.count, isWordByte(code[end]) { end += 1 }
            }
            let isQuoted = index > 0 && code[index - 1] == UInt8(ascii: "`")
            tokens.append(
                Token(
                    text: String(decoding: code[index..<end], as: UTF8.self),
                    line: line,
                    followsDirectly: index == endOfLast,
                    isQuoted: isQuoted
                )
            )
            endOfLast = end
            index = end
        }
        return tokens
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "_"), 0x80...:
            true
        default:
            false
        }
    }
}
