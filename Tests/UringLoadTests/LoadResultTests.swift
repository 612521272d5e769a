import Testing

@testable import UringLoad

@Suite("A load result")
struct LoadResultTests {
    private var result: LoadResult {
        var result = LoadResult()
        for _ in 0..<1_000 { result.latencies.add(1_000) }
        result.requests = 990
        result.lateRequests = 10
        result.bytes = 2_000_000
        result.windowNanoseconds = 2_000_000_000
        return result
    }

    @Test func knowsItsRates() {
        #expect(result.seconds == 2)
        #expect(result.requestsPerSecond == 495)
        #expect(result.bytesPerSecond == 1_000_000)
    }

    @Test func ofAWindowWithoutLengthDividesByNothing() {
        #expect(LoadResult().requestsPerSecond == 0)
        #expect(LoadResult().bytesPerSecond == 0)
    }

    @Test func addsTheCountsOfWorkersThatRanTogether() {
        var (first, second) = (result, result)
        first.windowNanoseconds = 1
        second.wrongBytes = 3
        second.lostConnections = 1
        second.firstError = "second"
        first.add(second)
        #expect(first.requests == 1_980)
        #expect(first.lateRequests == 20)
        #expect(first.latencies.count == 2_000)
        #expect(first.windowNanoseconds == 2_000_000_000)
        #expect(first.firstError == "second")
    }

    @Test func hasAFlawForEachWrongByteAndEachLostConnection() {
        #expect(result.isFlawless)
        var wrong = result
        wrong.wrongBytes = 1
        #expect(!wrong.isFlawless)
        var lost = result
        lost.lostConnections = 1
        #expect(!lost.isFlawless)
    }
}
