import Foundation
import Testing

@testable import UringLoad

@Suite("A load report")
struct LoadReportTests {
    private var result: LoadResult {
        var result = LoadResult()
        for microseconds in 1...1_000 { result.latencies.add(UInt64(microseconds) * 1_000) }
        result.requests = 990
        result.lateRequests = 10
        result.bytes = 2_000_000
        result.windowNanoseconds = 2_000_000_000
        return result
    }

    @Test func isFourLinesForAPerson() {
        let lines = LoadReport(result).text.split(separator: "\n").map(String.init)
        #expect(lines.count == 4)
        #expect(lines.first == "requests 990 in 2.000 s, 495/s, 1.0 MB/s")
        #expect(lines[1].hasPrefix("latency p50 500."))
        #expect(lines[2] == "after the end 10 answered, 0 unanswered")
        #expect(lines[3] == "wrong bytes 0, lost connections 0")
    }

    @Test func isOneJSONObjectForAProgram() throws {
        var result = result
        result.firstError = "connection 3: \"\\\n\u{7}\u{1F600}"
        let text = LoadReport(result).json
        #expect(!text.contains("\n"))
        let parsed = try JSONSerialization.jsonObject(with: Data(text.utf8))
        let object = try #require(parsed as? [String: Any])
        #expect(
            Set(object.keys) == [
                "requests", "seconds", "requests_per_second", "bytes_per_second", "p50_us",
                "p90_us", "p99_us", "p99_9_us", "max_us", "late_requests", "unanswered_requests",
                "unsent_requests", "wrong_bytes", "lost_connections", "first_error",
            ]
        )
        #expect(object["requests"] as? Int == 990)
        #expect(object["requests_per_second"] as? Double == 495)
        #expect(object["first_error"] as? String == result.firstError)
    }

    @Test func ofARunWithoutARequestDividesByNothing() {
        #expect(LoadReport(LoadResult()).text.hasPrefix("requests 0 in 0.000 s, 0/s, 0.0 MB/s"))
        #expect(LoadReport(LoadResult()).json.contains("\"first_error\":null"))
    }

    @Test func ofSeveralWorkersAddsTheirCounts() {
        var (first, second) = (result, result)
        first.windowNanoseconds = 1
        second.wrongBytes = 3
        second.lostConnections = 1
        second.firstError = "second"
        first.add(second)
        #expect(first.requests == 1_980)
        #expect(first.latencies.count == 2_000)
        #expect(first.windowNanoseconds == 2_000_000_000)
        #expect(first.firstError == "second")
        #expect(!first.isFlawless)
    }

    @Test(arguments: [
        (0.0, 1, "0.0"), (1.25, 1, "1.3"), (1.04, 1, "1.0"), (0.05, 2, "0.05"), (7.6, 0, "8"),
        (1e12, 3, "1000000000000.000"),
    ])
    func writesNumbersWithoutAnExponent(_ value: Double, _ digits: Int, _ text: String) {
        #expect(LoadReport.decimal(value, digits: digits) == text)
    }
}
