/// One file of the tree, cut into what the rules look at.
struct SourceText: Sendable {
    enum Language: Sendable {
        case swift
        case c
        case python
        case other
    }

    /// Relative to the root of the repository.
    let path: String
    let language: Language
    let lines: [String]
    /// The lines with comments and the contents of string literals made blank.
    let code: [String]
    /// The lines with only comments made blank.
    let uncommented: [String]
    /// The lines with all but comments made blank.
    let comments: [String]
    let tokens: [Token]
    /// What a Swift file declares, in the order of the keywords; empty for other languages.
    let declarations: [Declaration]

    init(path: String, text: String) {
        self.path = path
        language = Self.language(ofPath: path)
        var stripper = Stripper(text: text, language: language)
        stripper.run()
        lines = Self.split(text)
        code = Self.split(String(decoding: stripper.code, as: UTF8.self))
        uncommented = Self.split(String(decoding: stripper.uncommented, as: UTF8.self))
        comments = Self.split(String(decoding: stripper.comments, as: UTF8.self))
        tokens = Token.all(in: stripper.code)
        declarations = language == .swift ? DeclarationParser.declarations(in: tokens) : []
    }

    /// `Sources/UringEngine/Loop/EventLoop.swift` has four.
    var pathParts: [String] {
        path.split(separator: "/").map(String.init)
    }

    func finding(_ line: Int, _ message: String) -> Finding {
        Finding(path: path, line: line, message: message)
    }

    private static func language(ofPath path: String) -> Language {
        switch path.split(separator: ".").last {
        case "swift": .swift
        case "c", "h": .c
        case "py": .python
        default: .other
        }
    }

    private static func split(_ text: String) -> [String] {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" {
            lines.removeLast()
        }
        return lines
    }
}

/// One breach of a rule: where, what, and what to do about it.
struct Finding: CustomStringConvertible, Equatable, Sendable {
    let path: String
    let line: Int
    let message: String

    var description: String { "\(path):\(line): \(message)" }
}
