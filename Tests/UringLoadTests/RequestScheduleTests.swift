import Testing

@testable import UringLoad

@Suite("A request schedule")
struct RequestScheduleTests {
    @Test func spreadsRequestsEvenlyOverTimeAndConnections() {
        let schedule = RequestSchedule(rate: 1_000, connections: 4)
        for request in 0..<5_000 {
            #expect(
                schedule.nanoseconds(ofMessage: request / 4, onConnection: request % 4)
                    == UInt64(request) * 1_000_000
            )
        }
    }

    @Test func hasTheWholeRateInEverySecond() {
        for rate in [1, 3, 7, 999, 1_000_000] {
            let schedule = RequestSchedule(rate: rate, connections: 1)
            for second in [0, 1, 59, 3_599] {
                let first = schedule.nanoseconds(ofMessage: second * rate, onConnection: 0)
                #expect(first == UInt64(second) * 1_000_000_000)
                if second > 0 {
                    let last = schedule.nanoseconds(ofMessage: second * rate - 1, onConnection: 0)
                    #expect(last < first)
                }
            }
        }
    }

    @Test func doesNotOverflowAtTheBounds() {
        let schedule = RequestSchedule(
            rate: LoadPlan.rateRange.upperBound,
            connections: LoadPlan.connectionsRange.upperBound
        )
        // The last request of an hour.
        #expect(
            schedule.nanoseconds(ofMessage: 35_999, onConnection: 99_999)
                == 3_600_000_000_000 - 1_000
        )
    }

    @Test func isSlowerThanASecondWhenAskedTo() {
        let schedule = RequestSchedule(rate: 1, connections: 100_000)
        #expect(schedule.nanoseconds(ofMessage: 1, onConnection: 0) == 100_000 * 1_000_000_000)
    }
}
