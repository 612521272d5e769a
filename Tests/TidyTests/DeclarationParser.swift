/// Finds the declarations of a Swift file by its keywords and braces, without a real parser.
struct DeclarationParser {
    /// What an open brace has interrupted.
    private struct Scope {
        /// The declaration whose body it is, if any.
        var opened: Int?
        var isBodyOfType = false
        var parentheses: Int
        var pending: Int?
    }

    private let tokens: [Token]
    private var declarations: [Declaration] = []
    private var scopes: [Scope] = []
    private var parentheses = 0
    /// The declaration that the next brace would open.
    private var pending: Int?

    static func declarations(in tokens: [Token]) -> [Declaration] {
        var parser = DeclarationParser(tokens: tokens)
        parser.run()
        return parser.declarations
    }

    private init(tokens: [Token]) {
        self.tokens = tokens
    }

    private mutating func run() {
        for (index, token) in tokens.enumerated() {
            switch token.text {
            case "(", "[": parentheses += 1
            case ")", "]": parentheses -= 1
            case "{": openBrace()
            case "}": closeBrace(at: index)
            default: declare(at: index)
            }
        }
        endPending(before: tokens.count)
    }

    // MARK: Braces

    private mutating func openBrace() {
        var scope = Scope(parentheses: parentheses, pending: pending)
        // A brace inside parentheses is a closure, such as a parameter's default.
        if parentheses == 0, let opened = pending {
            let kind = declarations[opened].kind
            declarations[opened].hasBody = true
            scope.opened = opened
            scope.isBodyOfType = kind == .type || kind == .extension
            scope.pending = nil
        }
        scopes.append(scope)
        pending = nil
        parentheses = 0
    }

    private mutating func closeBrace(at index: Int) {
        endPending(before: index)
        guard let scope = scopes.popLast() else { return }
        parentheses = scope.parentheses
        pending = scope.pending
        if let opened = scope.opened {
            declarations[opened].lastLine = tokens[index].line
        }
    }

    private mutating func endPending(before index: Int) {
        if let pending, index > 0 {
            declarations[pending].lastLine = max(
                declarations[pending].keywordLine,
                tokens[index - 1].line
            )
        }
        pending = nil
    }

    // MARK: Keywords

    private mutating func declare(at index: Int) {
        guard parentheses == 0, let kind = kind(at: index) else { return }
        var modifiers: [String] = []
        let first = firstToken(of: index, collecting: &modifiers)
        endPending(before: first)
        let hasName = !["init", "deinit", "subscript"].contains(tokens[index].text)
        declarations.append(
            Declaration(
                kind: kind,
                keyword: tokens[index].text,
                name: hasName ? text(index + 1) : "",
                modifiers: modifiers,
                isTopLevel: scopes.isEmpty,
                isVisibleOutside: scopes.allSatisfy(\.isBodyOfType),
                firstLine: tokens[first].line,
                keywordLine: tokens[index].line,
                lastLine: tokens[index].line
            )
        )
        pending = declarations.count - 1
    }

    private func kind(at index: Int) -> Declaration.Kind? {
        let token = tokens[index]
        let before = text(index - 1)
        guard !token.isQuoted, before != ".", before != "import" else { return nil }
        let isNamed = index + 1 < tokens.count && tokens[index + 1].isWord
        let isAmongStatements = scopes.last.map { !$0.isBodyOfType } ?? false
        switch token.text {
        case "class" where Self.modifiers.union(Self.memberKeywords).contains(text(index + 1)):
            return nil
        case "struct", "class", "enum", "protocol", "actor": return isNamed ? .type : nil
        case "extension": return isNamed ? .extension : nil
        case "func": return .member
        case "var", "let": return isAmongStatements ? nil : .member
        case "init": return isAmongStatements || isNamed ? nil : .member
        case "deinit": return isAmongStatements ? nil : .member
        case "subscript": return isAmongStatements || isNamed ? nil : .member
        case "typealias", "associatedtype", "macro": return isNamed ? .name : nil
        default: return nil
        }
    }

    /// Walks back over modifiers and attributes, `@Test("name") public private(set)`.
    private func firstToken(of keyword: Int, collecting modifiers: inout [String]) -> Int {
        var first = keyword
        while first > 0 {
            var word = first - 1
            let hasArguments = tokens[word].text == ")"
            if hasArguments {
                guard let opening = openingParenthesis(of: word) else { return first }
                word = opening - 1
            }
            if text(word - 1) == "@" {
                first = word - 1
            } else if word >= 0, Self.modifiers.contains(tokens[word].text) {
                modifiers.append(hasArguments ? "\(tokens[word].text)()" : tokens[word].text)
                first = word
            } else {
                return first
            }
        }
        return first
    }

    private func openingParenthesis(of closing: Int) -> Int? {
        var depth = 0
        for index in stride(from: closing, through: 0, by: -1) {
            if tokens[index].text == ")" { depth += 1 }
            if tokens[index].text == "(" { depth -= 1 }
            if depth == 0 { return index }
        }
        return nil
    }

    private func text(_ index: Int) -> String {
        tokens.indices.contains(index) ? tokens[index].text : ""
    }

    private static let memberKeywords: Set = ["func", "var", "let", "subscript"]
    private static let modifiers: Set = [
        "borrowing", "class", "consuming", "convenience", "dynamic", "fileprivate", "final",
        "indirect", "infix", "internal", "isolated", "lazy", "mutating", "nonisolated",
        "nonmutating", "open", "override", "package", "postfix", "prefix", "private", "public",
        "required", "static", "unowned", "weak",
    ]
}
