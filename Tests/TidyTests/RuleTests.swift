import Testing

/// Each rule on a planted breach and on what is near to one but fine: a rule that cannot fail is
/// worthless.
@Suite("A rule")
struct RuleTests {
    @Test func findsAFileOfTooManyLines() {
        let full = String(repeating: "\n", count: 500)
        #expect(Rules.fileLength(engine(full)).isEmpty)
        #expect(lines(Rules.fileLength(engine(full + "\n"))) == [501])
    }

    @Test func findsAFunctionOfTooManyLines() {
        let body = String(repeating: "x()\n", count: 58)
        #expect(Rules.functionLength(engine("func a() {\n\(body)}")).isEmpty)
        #expect(lines(Rules.functionLength(engine("\nfunc a() {\n\(body)x()\n}"))) == [2])
        #expect(lines(Rules.functionLength(engine("var a: Int {\n\(body)x()\n}"))) == [1])
        #expect(Rules.functionLength(engine("struct A {\n\(body)x()\n}")).isEmpty)
        let function = SourceText(
            path: "Sources/CUring/a.h",
            text: "\nint a(void) {\n\(body)x();\n}"
        )
        #expect(lines(Rules.functionLength(function)) == [2])
    }

    @Test(arguments: [
        "Utils.swift", "TestHelpers.swift", "Common/A.swift", "misc.c", "A+Util.swift",
    ])
    func findsANameWithoutAConcept(name: String) {
        #expect(Rules.fileName(SourceText(path: "Sources/A/\(name)", text: "")).count == 1)
        #expect(Rules.fileName(SourceText(path: "Sources/A/Commons.swift", text: "")).isEmpty)
    }

    @Test func findsAnImportThatTheTargetMayNotHave() {
        let text =
            "internal import CUring\npublic import struct Foundation.Data\n// import Dispatch"
        #expect(lines(Rules.imports(engine(text))) == [2])
        let newTarget = SourceText(path: "Sources/New/A.swift", text: "")
        #expect(Rules.imports(newTarget).count == 1)
        let test = SourceText(path: "Tests/A/A.swift", text: "import Foundation\nimport XCTest")
        #expect(lines(Rules.imports(test)) == [2])
    }

    @Test func findsAHeaderIncludedOutsideItsTarget() {
        let text = "// #include <liburing.h>\n#include <liburing.h>\n#include <liburing/io_uring.h>"
        #expect(Rules.headers(SourceText(path: "Sources/CUring/include/a.h", text: text)).isEmpty)
        let elsewhere = SourceText(path: "Sources/CNUMA/a.c", text: text)
        #expect(lines(Rules.headers(elsewhere)) == [2, 3])
    }

    @Test(arguments: [
        ("Kernel", "Loop"), ("Timers", "Buffers"), ("Buffers", "Transports"),
        ("Loop", "Transports"),
    ])
    func findsATypeNamedBelowOrBesideItsFolder(lower: String, upper: String) {
        let owner = engine("package struct Owner { struct Inner {} }", folder: upper)
        let named = engine("// Owner\nlet a: Owner\nlet b: C.Owner, d: Inner", folder: lower)
        #expect(lines(Rules.folderOrder([owner, named])) == [2])
    }

    @Test(arguments: [("Loop", "Timers"), ("Transports", "Loop"), ("Drivers", "Kernel")])
    func letsAFolderNameTheTypesBelowIt(upper: String, lower: String) {
        let owner = engine("enum Owner {}", folder: lower)
        #expect(Rules.folderOrder([owner, engine("let a: Owner", folder: upper)]).isEmpty)
    }

    @Test func takesANameForTheOneOfItsOwnFolder() {
        let files = [
            engine("struct State {}", folder: "Loop"),
            engine("struct Heap { enum State {} }\nlet a: State", folder: "Timers"),
        ]
        #expect(Rules.folderOrder(files).isEmpty)
    }

    @Test func findsAFileOutsideTheFoldersOfTheEngine() {
        #expect(Rules.folderOrder([engine("", folder: "Odds")]).count == 1)
    }

    @Test func findsUnsafeCodeThatNobodyAccountsFor() {
        let bare = "struct A {\n    func b() {\n        unsafe c()\n        unsafe d()\n    }\n}"
        #expect(lines(Rules.safetyComments(engine(bare))) == [3])
        #expect(Rules.safetyComments(engine("// Safety: it is ours.\n" + bare)).isEmpty)
        #expect(lines(Rules.safetyComments(engine("// Safety: far off.\n\n" + bare))) == [5])
        let beside =
            "struct A {\n    // Safety: b.\n    func b() {}\n    func c() { unsafe d() }\n}"
        #expect(lines(Rules.safetyComments(engine(beside))) == [4])
        let within = "struct A {\n    var b: Int {\n        // Safety: b.\n        1\n    }\n"
        #expect(lines(Rules.safetyComments(engine(within + "    let c = unsafe d()\n}"))) == [6])
        for uncovered in ["final class A: @unchecked Sendable {}", "nonisolated(unsafe) var a = 1"]
        {
            #expect(lines(Rules.safetyComments(engine(uncovered))) == [1])
            #expect(Rules.safetyComments(engine("/// Safety: one thread.\n" + uncovered)).isEmpty)
        }
    }

    @Test(arguments: [
        "func a() {\n    // Safety: ours.\n    b { unsafe c() }\n}",
        "/// Does a.\n// Safety: ours.\n@inlinable\nfunc a() { unsafe c() }",
        "struct A {\n    let b = unsafe c()  // Safety: ours.\n}",
        "@safe struct A {\n    // Safety: ours.\n    let b: Int\n\n    func c() { unsafe d() }\n}",
        "extension A {\n    // Safety: ours.\n\n    func b() { unsafe c() }\n}",
        "struct A {\n    var b: Int { 1 }\n\n    // Safety: ours.\n    let c: Int\n\n"
            + "    func d() { unsafe e() }\n}",
        "struct A {\n    // Safety: ours.\n    let b: Int\n    let c = unsafe d()\n}",
        "func a() { b(.unsafe, unsafe: c) }",
    ])
    func acceptsUnsafeCodeThatACommentCovers(text: String) {
        #expect(Rules.safetyComments(engine(text)).isEmpty)
    }

    @Test(arguments: [
        "a!", "try! b()", "c as! D", "e()!.f", "g[0]!", "let h: I!", "\"\\(j!)\"", "k! == l",
    ])
    func findsAForcedUnwrap(text: String) {
        #expect(Rules.forcedUnwraps(engine(text)).count == 1)
    }

    @Test(arguments: ["!a", "a != b", "a !== b", "f(!a)", "#if !DEBUG", "// a!", "\"a!\"", "a!=b"])
    func takesNoNegationForAForcedUnwrap(text: String) {
        #expect(Rules.forcedUnwraps(engine(text)).isEmpty)
    }

    @Test(arguments: [
        "package func a() {}", "public struct B {}", "// Plain.\npublic let c = 1",
        "/// Apart.\n\npackage typealias D = Int",
    ])
    func findsAnUndocumentedDeclaration(text: String) {
        #expect(Rules.documentation(engine(text)).count == 1)
    }

    @Test(arguments: [
        "/// Does a.\n@inlinable\npackage func a() {}", "package import B",
        "@inlinable\n/// Does c.\n// Safety: ours.\npublic func c() {}", "func d() {}",
        "func e() {\n    struct F { public let g = 1 }\n}",
    ])
    func asksNoDocumentationWhereThereIsSomeOrNobodySees(text: String) {
        #expect(Rules.documentation(engine(text)).isEmpty)
    }

    @Test func findsANoteWithoutAnIssue() {
        let text = "// TODO: a\n/* FIXME b */\n// TODO(#12): c\nlet d = \"TODO\"\n// TODO e #f"
        #expect(lines(Rules.notesToSelf(engine(text))) == [1, 2, 5])
        let script = SourceText(path: "Benchmarks/a.py", text: "a = '# TODO'\n# TODO b")
        #expect(lines(Rules.notesToSelf(script)) == [2])
    }

    @Test(arguments: [
        "usleep(1)", "try await Task.sleep(for: .seconds(1))", "Thread.sleep(forTimeInterval: 1)",
        "unsafe nanosleep(&a, nil)",
    ])
    func findsATestThatSleeps(text: String) {
        #expect(Rules.sleepingTests(SourceText(path: "Tests/A/B.swift", text: text)).count == 1)
        #expect(Rules.sleepingTests(engine(text)).isEmpty)
        let words = SourceText(path: "Tests/A/B.swift", text: "// \(text)\nlet a = \"\(text)\"")
        #expect(Rules.sleepingTests(words).isEmpty)
    }

    @Test func findsNamesOfTheArchitecturePageThatAreGone() {
        let file = SourceText(
            path: "Sources/UringEngine/Loop/EventLoop+Phases.swift",
            text: "extension EventLoop { func tick() { Mutex(1) } }"
        )
        let fine = """
            `EventLoop`, `EventLoop.tick()`, `Mutex`, `Loop`, `EventLoop+Phases`, `EMFILE`
            `Sources/UringEngine/`, `URINGCORE_CORES`, `make check`, `tick`, `~Copyable`
            ```
            `Gone`
            ```
            """
        let gone = "\n`Gone`, `EventLoop.gone()`\n`EventLoop+Gone` and `Sources/Gone`"
        #expect(Rules.architectureNames(path: "a.md", text: fine, files: [file]).isEmpty)
        let found = Rules.architectureNames(path: "a.md", text: fine + gone, files: [file])
        #expect(lines(found) == [6, 6, 7, 7])
    }

    @Test func saysWhereAndWhatToDo() {
        let finding = Rules.forcedUnwraps(engine("\na!", folder: "Loop"))
        #expect(
            finding.first?.description.hasPrefix("Sources/UringEngine/Loop/A.swift:2: `!` traps")
                == true
        )
    }

    private func engine(_ text: String, folder: String = "Kernel") -> SourceText {
        SourceText(path: "Sources/UringEngine/\(folder)/A.swift", text: text)
    }

    private func lines(_ findings: [Finding]) -> [Int] {
        findings.map(\.line).sorted()
    }
}
