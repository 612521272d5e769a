import Testing

@testable import UringLoad

@Suite("A latency record")
struct LatencyRecordTests {
    @Test func isEmptyAtFirst() {
        let record = LatencyRecord()
        #expect(record.count == 0)
        #expect(record.longest == 0)
        #expect(record.percentile(99.9) == 0)
    }

    @Test func knowsPercentilesToThreeDigits() {
        var record = LatencyRecord()
        for microseconds in 1...10_000 { record.add(UInt64(microseconds) * 1_000) }
        for percent in [50.0, 90, 99, 99.9] {
            let exact = percent * 100_000
            #expect(abs(Double(record.percentile(percent)) - exact) <= exact / 1_000)
        }
        #expect(abs(Double(record.longest) - 1e7) <= 1e4)
    }

    @Test func addsWhatOtherWorkersMeasured() {
        var (low, high) = (LatencyRecord(), LatencyRecord())
        for _ in 0..<900 { low.add(1_000) }
        for _ in 0..<100 { high.add(1_000_000) }
        low.add(high)
        #expect(low.count == 1_000)
        #expect(low.percentile(50) == 1_000)
        #expect(low.percentile(99) > 999_000)
    }

    @Test func countsWhatIsBeyondItsRange() {
        var record = LatencyRecord()
        record.add(.max)
        record.add(0)
        #expect(record.count == 2)
        #expect(record.longest >= 99_000_000_000_000)
    }
}
