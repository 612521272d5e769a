/// What the compiler does not check, each rule a function from files to findings.
enum Rules {}

/// Sizes and names.
extension Rules {
    static let linesPerFileMax = 500
    static let linesPerFunctionMax = 60

    static func fileLength(_ file: SourceText) -> [Finding] {
        guard file.lines.count > linesPerFileMax else { return [] }
        return [
            file.finding(
                linesPerFileMax + 1,
                "the file has \(file.lines.count) lines; split it by concept or aspect"
                    + " (at most \(linesPerFileMax))"
            )
        ]
    }

    /// Counts from the keyword's line to the closing brace's; accessors count as their property's.
    static func functionLength(_ file: SourceText) -> [Finding] {
        let bodies =
            file.language == .c
            ? functionsOfC(in: file)
            : file.declarations.filter { $0.kind == .member && $0.hasBody }
                .map { ($0.title, $0.keywordLine...$0.lastLine) }
        return bodies.filter { $0.1.count > linesPerFunctionMax }.map { title, lines in
            file.finding(
                lines.lowerBound,
                "`\(title)` has \(lines.count) lines; move steps into functions of their own"
                    + " (at most \(linesPerFunctionMax))"
            )
        }
    }

    /// A C function is a brace at depth zero that a parenthesis stands before.
    private static func functionsOfC(in file: SourceText) -> [(String, ClosedRange<Int>)] {
        var functions: [(String, ClosedRange<Int>)] = []
        var depth = 0
        var start: Int?
        for (index, token) in file.tokens.enumerated() {
            if token.text == "{" {
                if depth == 0, index > 0, file.tokens[index - 1].text == ")" { start = token.line }
                depth += 1
            } else if token.text == "}" {
                depth -= 1
                if depth == 0, let line = start {
                    functions.append(("the function", line...max(line, token.line)))
                    start = nil
                }
            }
        }
        return functions
    }

    private static let namesWithoutConcept: Set = [
        "util", "utils", "utility", "utilities", "helper", "helpers", "common", "misc",
    ]

    /// Forbids the names that say nothing, as a word of a file's or a folder's name.
    static func fileName(_ file: SourceText) -> [Finding] {
        for part in file.pathParts {
            for word in words(of: part) where namesWithoutConcept.contains(word.lowercased()) {
                return [
                    file.finding(
                        1,
                        "`\(word)` in `\(part)` names no concept; name it for what it holds"
                    )
                ]
            }
        }
        return []
    }

    /// Cuts `TestHelpers+IO.swift` into `Test`, `Helpers`, `I`, `O`, `swift`.
    private static func words(of name: String) -> [String] {
        var words: [String] = [""]
        for character in name {
            if !character.isLetter {
                words.append("")
            } else if character.isUppercase {
                words.append(String(character))
            } else {
                words[words.count - 1].append(character)
            }
        }
        return words.filter { !$0.isEmpty }
    }
}
