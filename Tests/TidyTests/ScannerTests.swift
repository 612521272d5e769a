import Testing

/// The scanner on small sources, each with what would mislead a search by words.
@Suite("The scanner")
struct ScannerTests {
    @Test(arguments: [
        ("a // b", "a"),
        ("a /* b /* c */ d */ e", "a e"),
        ("a \"b // c\" d", "a \" \" d"),
        ("a \"b \\\" c\" d", "a \" \" d"),
        ("a \"b \\(c(\"d\") + e) f\" g", "a \" (c(\" \") + e) \" g"),
        ("a #\"b \" c \\(d)\"# e", "a #\" \"# e"),
        ("a #\"b \\#(c) d\"# e", "a #\" (c) \"# e"),
        ("a \"\"\"\nb \" c\n\"\"\" d", "a \"\"\"\n \n\"\"\" d"),
    ])
    func leavesOnlyCode(text: String, code: String) {
        let file = SourceText(path: "a.swift", text: text)
        #expect(squeezed(file.code) == squeezed(code.split(separator: "\n").map(String.init)))
    }

    @Test func endsABlockCommentOfCAtTheFirstClose() {
        let file = SourceText(path: "a.c", text: "a /* b /* c */ d // e\n'\"' f")
        #expect(squeezed(file.code) == "a d\n' ' f")
    }

    @Test func leavesOnlyCodeOfPython() {
        let file = SourceText(path: "a.py", text: "a # b\n'#' c\n'''d\ne''' f")
        #expect(squeezed(file.code) == "a\n' ' c\n'''\n''' f")
    }

    @Test func keepsStringsWhereOnlyCommentsGo() {
        let file = SourceText(path: "a.c", text: "#include \"liburing.h\" // why")
        #expect(squeezed(file.uncommented) == "#include \"liburing.h\"")
        #expect(squeezed(file.comments) == "// why")
    }

    @Test func keepsEveryLineInItsPlace() {
        let text = "a\n/* b\nc */ d\n\"\"\"\ne\n\"\"\"\nf\n"
        let file = SourceText(path: "a.swift", text: text)
        #expect(file.lines.count == 7)
        #expect(
            file.tokens.last == Token(text: "f", line: 7, followsDirectly: false, isQuoted: false)
        )
    }

    @Test func survivesLiteralsAndCommentsThatNeverClose() {
        for text in ["\"a", "\"\"\"a", "/* a", "\"a \\(b", "\"a \\", "#\"a\"", "}", ")", "func"] {
            #expect(SourceText(path: "a.swift", text: text).lines == [text])
        }
    }

    @Test func findsDeclarationsWithTheirModifiersAndExtents() {
        let text = """
            @frozen
            public struct A<B: P>: Q where B: R {
                package private(set) var c = 1
                static let d = [1,
                    2]
                @inlinable(x)
                package init?(_ e: () -> Int = { 3 }) {
                    let f = { 4 }
                    func g() {}
                }
                public class func h() -> Int { 5 }
                var i: Int {
                    6
                }
            }
            extension A { typealias J = Int }
            """
        let found = SourceText(path: "a.swift", text: text).declarations.map {
            "\($0.title) \($0.firstLine) \($0.keywordLine) \($0.lastLine)\($0.isAPI ? " API" : "")"
        }
        #expect(
            found == [
                "struct A 1 2 15 API", "var c 3 3 3 API", "let d 4 4 5", "init 6 7 10 API",
                "func g 9 9 9", "func h 11 11 11 API", "var i 12 12 14", "extension A 16 16 16",
                "typealias J 16 16 16",
            ]
        )
    }

    @Test func takesNoExpressionForADeclaration() {
        let text = """
            import struct Glibc.stat
            func a(extension: Int, class: Int) {
                self.init(b: 1)
                let `class` = c.struct
                if let d = e { f(d) }
            }
            """
        let found = SourceText(path: "a.swift", text: text).declarations.map(\.title)
        #expect(found == ["func a"])
    }

    /// Joins lines after cutting runs of spaces to one.
    private func squeezed(_ lines: [String]) -> String {
        lines.map { line in
            let words = line.split(separator: " ").joined(separator: " ")
            return words.isEmpty && !line.isEmpty ? " " : words
        }.joined(separator: "\n")
    }
}
