/// Comments, documentation and what tests may not call.
extension Rules {
    /// Every `public` and `package` declaration has `///` above it.
    ///
    /// Attributes and `//` comments may stand between.
    static func documentation(_ file: SourceText) -> [Finding] {
        guard file.language == .swift, file.path.hasPrefix("Sources/") else { return [] }
        return file.declarations.filter { $0.isAPI && $0.kind != .extension }.compactMap {
            declaration in
            let between = Array(declaration.firstLine..<declaration.keywordLine)
            let lines = commentLines(above: declaration.firstLine, in: file) + between
            let isDocumented = lines.contains { line in
                file.comments[line - 1].drop(while: \.isWhitespace).hasPrefix("///")
            }
            guard !isDocumented else { return nil }
            return file.finding(
                declaration.keywordLine,
                "`\(declaration.title)` has no `///` comment; say in a sentence what it does, and"
                    + " on which thread"
            )
        }
    }

    /// A note of something left to do names the issue that will do it, on its line: `#12`.
    static func notesToSelf(_ file: SourceText) -> [Finding] {
        file.comments.indices.compactMap { index in
            let comment = file.comments[index]
            let words = comment.split { !$0.isLetter }
            guard let note = words.first(where: { $0 == "TODO" || $0 == "FIXME" }),
                !namesIssue(comment)
            else {
                return nil
            }
            return file.finding(index + 1, "\(note) without an issue's number; add it, as `#12`")
        }
    }

    private static func namesIssue(_ comment: String) -> Bool {
        comment.split(separator: "#", omittingEmptySubsequences: false).dropFirst().contains {
            $0.first?.isNumber ?? false
        }
    }

    private static let sleeps: Set = ["sleep", "usleep", "nanosleep", "clock_nanosleep"]

    /// Tests wait on events; none may call a sleep of any library.
    ///
    /// A shard's own (`shard.sleep`) is part of what is tested.
    static func sleepingTests(_ file: SourceText) -> [Finding] {
        guard file.path.hasPrefix("Tests/") else { return [] }
        return file.tokens.indices.compactMap { index in
            let token = file.tokens[index]
            guard sleeps.contains(token.text), index + 1 < file.tokens.count,
                file.tokens[index + 1].text == "("
            else {
                return nil
            }
            if index > 1, file.tokens[index - 2].text == "shard" { return nil }
            return file.finding(
                token.line,
                "a test calls `\(token.text)`; wait on the event, or use a virtual clock"
            )
        }
    }

    // MARK: The architecture page

    /// Checks each name in backticks, outside code blocks, that looks like a type, an aspect's file
    /// (`EventLoop+Phases`) or a path (`Sources/CUring`).
    ///
    /// A type is known when the word occurs in the code of Sources, or names a folder or file of
    /// the tree; of `Type.member` both words are looked up.
    static func architectureNames(path: String, text: String, files: [SourceText]) -> [Finding] {
        let paths = Set(files.flatMap { prefixes(of: $0.path) })
        let names = Set(paths.flatMap { stems(ofPath: $0) })
        let sources = files.filter { $0.path.hasPrefix("Sources/") }
        let words = Set(sources.flatMap { $0.tokens.filter(\.isWord).map(\.text) })
        return spans(in: text).compactMap { span, line in
            let isKnown: Bool
            if span.hasPrefix("Sources/") || span.hasPrefix("Tests/") {
                isKnown = paths.contains(span.last == "/" ? String(span.dropLast()) : span)
            } else if span.contains("+"), looksLikeType(span.split(separator: "+")[0]) {
                isKnown = names.contains(span)
            } else if let parts = typeAndMember(of: span) {
                isKnown = parts.allSatisfy { words.contains($0) || names.contains($0) }
            } else {
                isKnown = true
            }
            guard !isKnown else { return nil }
            return Finding(
                path: path,
                line: line,
                message: "`\(span)` is not in the tree; name what replaced it, or drop it"
            )
        }
    }

    /// `A/B/C.swift` is in `A`, `A/B` and itself.
    private static func prefixes(of path: String) -> [String] {
        let parts = path.split(separator: "/")
        return parts.indices.map { parts[...$0].joined(separator: "/") }
    }

    private static func stems(ofPath path: String) -> [String] {
        let file = path.split(separator: "/").last.map(String.init) ?? path
        return [file, String(file.prefix { $0 != "." })]
    }

    /// Returns what stands between single backticks, with the line.
    private static func spans(in text: String) -> [(String, Int)] {
        var spans: [(String, Int)] = []
        var isInsideBlock = false
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            if line.drop(while: \.isWhitespace).hasPrefix("```") {
                isInsideBlock.toggle()
            } else if !isInsideBlock {
                let parts = line.split(separator: "`", omittingEmptySubsequences: false)
                for odd in stride(from: 1, to: parts.count, by: 2) where !parts[odd].isEmpty {
                    spans.append((String(parts[odd]), index + 1))
                }
            }
        }
        return spans
    }

    /// Splits `Type`, `Type.member` and `Type.member(label:)`; returns nil for anything else.
    private static func typeAndMember(of span: String) -> [String]? {
        let parts = span.prefix { $0 != "(" }.split(
            separator: ".",
            omittingEmptySubsequences: false
        )
        guard let type = parts.first, looksLikeType(type), parts.count <= 2,
            parts.allSatisfy({ isIdentifier($0) })
        else {
            return nil
        }
        return parts.map(String.init)
    }

    private static func looksLikeType(_ word: Substring) -> Bool {
        isIdentifier(word) && (word.first?.isUppercase ?? false)
            && word.contains { $0.isLowercase } && !word.contains("_")
    }

    private static func isIdentifier(_ word: Substring) -> Bool {
        !word.isEmpty && word.allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" }
    }
}
