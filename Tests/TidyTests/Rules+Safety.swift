/// Memory and traps.
extension Rules {
    /// Every use of `unsafe` has a `Safety:` comment that covers it.
    ///
    /// A use is the keyword `unsafe`, `nonisolated(unsafe)`, `unowned(unsafe)`, `@safe` or
    /// `@unchecked`. It is covered by a comment with `Safety:`
    /// - inside a function or property around it, or in the comment above that,
    /// - directly above a type or extension around it, or in its head (beside the stored
    ///   properties, before its first function or initializer), for all its members,
    /// - or on its line or above it, no blank line and no brace between, as beside stored
    ///   properties.
    static func safetyComments(_ file: SourceText) -> [Finding] {
        guard file.language == .swift, file.path.hasPrefix("Sources/") else { return [] }
        let safetyLines = Set(
            file.comments.indices.filter { file.comments[$0].contains("Safety:") }.map { $0 + 1 }
        )
        var reported: Set<Int> = []
        return unsafeLines(in: file).compactMap { line in
            let around = file.declarations.filter { $0.holds(line: line) }
            let isCovered =
                around.contains { covers($0, in: file, safetyLines: safetyLines) }
                || !safetyLines.isDisjoint(with: paragraph(endingAt: line, in: file))
            // One finding a function is enough to write one comment.
            let place = around.last { $0.kind == .member }?.firstLine ?? line
            guard !isCovered, reported.insert(place).inserted else { return nil }
            return file.finding(
                line,
                "`unsafe` without a `// Safety:` comment; say in this function, or above its type,"
                    + " who keeps the memory alive until when"
            )
        }
    }

    private static func unsafeLines(in file: SourceText) -> [Int] {
        let tokens = file.tokens
        return tokens.indices.filter { index in
            let before = index > 0 ? tokens[index - 1].text : ""
            let after = index + 1 < tokens.count ? tokens[index + 1].text : ""
            switch tokens[index].text {
            case "unsafe":
                return !tokens[index].isQuoted && ![".", "@"].contains(before) && after != ":"
            case "safe", "unchecked": return before == "@"
            default: return false
            }
        }.map { tokens[$0].line }
    }

    private static func covers(
        _ declaration: Declaration,
        in file: SourceText,
        safetyLines: Set<Int>
    ) -> Bool {
        var lines = Set(commentLines(above: declaration.firstLine, in: file))
        switch declaration.kind {
        case .member: lines.formUnion(declaration.firstLine...declaration.lastLine)
        case .type, .extension: lines.formUnion(head(of: declaration, in: file))
        case .name: break
        }
        return !safetyLines.isDisjoint(with: lines)
    }

    /// What stands at a type's beginning, beside its stored properties and outside every body.
    private static func head(of type: Declaration, in file: SourceText) -> Set<Int> {
        let inner = file.declarations.filter {
            $0.keywordLine > type.keywordLine && $0.lastLine <= type.lastLine
        }
        let innerTypes = inner.filter { $0.kind == .type }
        let firstFunction = inner.first { function in
            ["func", "init", "deinit", "subscript"].contains(function.keyword)
                && !innerTypes.contains { $0.holds(line: function.keywordLine) }
        }
        let end = firstFunction?.firstLine ?? type.lastLine + 1
        var lines = Set(type.firstLine..<max(type.firstLine, end))
        // What a body or its own comment says is about that body alone.
        for body in inner where body.hasBody {
            lines.subtract(commentLines(above: body.firstLine, in: file))
            lines.subtract(body.firstLine...body.lastLine)
        }
        return lines
    }

    /// Returns the lines of the comments that end just above a line, counted from one.
    static func commentLines(above line: Int, in file: SourceText) -> [Int] {
        var lines: [Int] = []
        var index = line - 2
        while index >= 0, isBlank(file.code[index]), !isBlank(file.comments[index]) {
            lines.append(index + 1)
            index -= 1
        }
        return lines
    }

    private static func paragraph(endingAt line: Int, in file: SourceText) -> Set<Int> {
        var lines: Set<Int> = [line]
        var index = line - 2
        while index >= 0, !isBlank(file.lines[index]), !file.code[index].contains(where: isBrace) {
            lines.insert(index + 1)
            index -= 1
        }
        return lines
    }

    private static func isBrace(_ character: Character) -> Bool {
        character == "{" || character == "}"
    }

    static func isBlank(_ line: String) -> Bool {
        line.allSatisfy(\.isWhitespace)
    }

    /// Forbids `x!`, `T!`, `try!` and `as!` under Sources.
    static func forcedUnwraps(_ file: SourceText) -> [Finding] {
        guard file.language == .swift, file.path.hasPrefix("Sources/") else { return [] }
        let tokens = file.tokens
        return tokens.indices.compactMap { index in
            guard index > 0, tokens[index].text == "!", tokens[index].followsDirectly else {
                return nil
            }
            let before = tokens[index - 1]
            let comparesUnequal =
                index + 1 < tokens.count && tokens[index + 1].text == "="
                && tokens[index + 1].followsDirectly
            guard before.isWord || [")", "]", "}", ">", "?", "\""].contains(before.text),
                !comparesUnequal
            else {
                return nil
            }
            let form = ["try", "as"].contains(before.text) ? "\(before.text)!" : "!"
            return file.finding(
                tokens[index].line,
                "`\(form)` traps without a word; unwrap it, or say with `preconditionFailure` why"
                    + " it cannot fail"
            )
        }
    }
}
