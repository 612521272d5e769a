import Testing

@testable import UringCore

/// Which CPUs a text names, and which of them may be used.
@Suite("CoreSelection")
struct CoreSelectionTests {
    private func read(_ text: String) throws -> CoreSelection {
        try Configuration(environment: ["URINGCORE_CORES": text]).cores
    }

    @Test(arguments: [
        ("auto", CoreSelection.auto), ("all", .all), ("0", .list([0])), ("7", .list([7])),
        ("0,1", .list([0, 1])), ("0-3", .list([0, 1, 2, 3])), ("2-2", .list([2])),
        ("0-3,8", .list([0, 1, 2, 3, 8])), ("8,0-2,5", .list([0, 1, 2, 5, 8])),
        ("007", .list([7])),
    ])
    func readsWordsListsAndRanges(_ text: String, _ selection: CoreSelection) throws {
        #expect(try read(text) == selection)
    }

    @Test(arguments: [("1,1", [1]), ("0-2,1-3", [0, 1, 2, 3]), ("3,0-3,3", [0, 1, 2, 3])])
    func takesADuplicateOnce(_ text: String, _ cpus: [Int]) throws {
        #expect(try read(text) == .list(cpus))
    }

    @Test func isAutoWithoutTheVariable() throws {
        #expect(try Configuration(environment: [:]).cores == .auto)
    }

    @Test(arguments: [
        "", " ", ",", "-", "0,", ",0", "0,,1", "0-", "-3", "0--3", "0-1-2", "3-1", "1-0,5",
        "a", "a-b", "0x1", "0 1", "0, 1", "+1", "1.0", "AUTO", "All", "none", "0;1",
        "99999999999999999999", "0-99999999999999999999", "0-999999999", "4096", "0-4096",
    ])
    func refusesAnythingElse(_ text: String) throws {
        let error = try #require(throws: ConfigurationError.self) { try read(text) }
        #expect(error.variable == "URINGCORE_CORES")
        #expect(error.value == text)
        #expect(error.accepted == "auto, all, or a list of CPUs such as 0-3,8")
    }

    @Test(arguments: [CoreSelection.auto, .all])
    func resolvesAWordToAllThatAreAllowed(_ selection: CoreSelection) throws {
        #expect(try selection.resolve(allowed: [0, 2, 5]) == [0, 2, 5])
    }

    @Test func resolvesAListWithinTheAllowed() throws {
        #expect(try CoreSelection.list([2, 5]).resolve(allowed: [0, 2, 5]) == [2, 5])
    }

    @Test(arguments: [[1], [0, 1], [2, 3, 5], [900]])
    func refusesACPUThatIsNotAllowed(_ cpus: [Int]) throws {
        let error = try #require(throws: ConfigurationError.self) {
            try CoreSelection.list(cpus).resolve(allowed: [0, 2, 5])
        }
        #expect(error.variable == "URINGCORE_CORES")
        #expect(error.accepted == "CPUs that this process may use: 0,2,5")
    }

    @Test(arguments: [
        ([3], "3"), ([0, 1], "0,1"), ([0, 1, 2], "0-2"), ([0, 2, 4], "0,2,4"),
        ([0, 1, 2, 3, 8], "0-3,8"), ([1, 2, 4, 5, 6], "1,2,4-6"), (Array(0..<1_024), "0-1023"),
    ])
    func writesAListAsAPersonWould(_ cpus: [Int], _ text: String) throws {
        #expect("\(CoreSelection.list(cpus))" == text)
        #expect(try read(text) == .list(cpus))
    }

    @Test func findsTheCPUsOfThisThread() {
        let allowed = CoreSelection.allowedCPUs()
        #expect(!allowed.isEmpty)
        #expect(allowed == Set(allowed).sorted())
    }
}
