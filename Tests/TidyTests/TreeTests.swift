import Testing

/// Each rule of the house, applied to the tree as it is.
@Suite("The tree")
struct TreeTests {
    private let tree = Tree.current

    @Test func isReadWhole() {
        // A rule that looks at nothing passes; these two must be there to be looked at.
        #expect(tree.tests.contains { $0.path == "Tests/TidyTests/TreeTests.swift" })
        #expect(tree.sources.contains { $0.path.hasPrefix("Sources/UringEngine/") })
    }

    @Test func hasNoFileTooLongToRead() {
        report(tree.files.flatMap(Rules.fileLength))
    }

    @Test func hasNoFunctionTooLongToRead() {
        report(tree.files.flatMap(Rules.functionLength))
    }

    @Test func namesEachFileForItsConcept() {
        report(tree.files.flatMap(Rules.fileName))
    }

    @Test func importsOnlyWhatEachTargetMayKnow() {
        report(tree.files.flatMap(Rules.imports))
    }

    @Test func includesKernelHeadersInOneTargetOnly() {
        report(tree.files.flatMap(Rules.headers))
    }

    @Test func dependsOnlyDownwardsInsideTheEngine() {
        report(Rules.folderOrder(tree.sources))
    }

    @Test func documentsEveryDeclarationThatOthersSee() {
        report(tree.files.flatMap(Rules.documentation))
    }

    @Test func saysWhyEachUnsafeUseIsSafe() {
        report(tree.files.flatMap(Rules.safetyComments))
    }

    @Test func unwrapsNothingByForce() {
        report(tree.files.flatMap(Rules.forcedUnwraps))
    }

    @Test func keepsItsNotesInIssues() {
        report(tree.files.flatMap(Rules.notesToSelf))
    }

    @Test func waitsForEventsInItsTests() {
        report(tree.files.flatMap(Rules.sleepingTests))
    }

    @Test func namesOnlyWhatExistsInItsArchitecturePage() {
        let path = "docs/ARCHITECTURE.md"
        guard let text = tree.text(at: path) else { return }
        report(Rules.architectureNames(path: path, text: text, files: tree.files))
    }

    private func report(_ findings: [Finding]) {
        for finding in findings {
            Issue.record("\(finding)")
        }
    }
}
