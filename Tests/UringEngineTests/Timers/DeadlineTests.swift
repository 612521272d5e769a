import Testing

@testable import UringEngine

@Suite struct DeadlineTests {
    @Test func addsADurationToAReading() {
        #expect(Deadline.after(.milliseconds(2), from: 5).nanoseconds == 2_000_005)
        #expect(Deadline.after(.nanoseconds(1), from: 5).nanoseconds == 6)
        #expect(Deadline.after(.zero, from: 5).nanoseconds == 5)
    }

    @Test(arguments: [Duration.nanoseconds(-1), .seconds(-1), .seconds(Int64.min)])
    func takesANegativeDurationAsNow(duration: Duration) {
        #expect(Deadline.after(duration, from: 1_000).nanoseconds == 1_000)
    }

    @Test(arguments: [
        Duration.seconds(Int64.max), .seconds(9_223_372_036), .seconds(9_300_000_000),
    ])
    func clampsWhatLiesTooFarAhead(duration: Duration) {
        #expect(Deadline.after(duration, from: 1_000_000_000) == .distantFuture)
        #expect(Deadline.after(duration, from: .max) == .distantFuture)
    }

    @Test func clampsAReadingThatIsTooLarge() {
        #expect(Deadline(nanoseconds: .max) == .distantFuture)
        #expect(Deadline.distantFuture.nanoseconds == UInt64(Int64.max))
        #expect(Deadline.after(.zero, from: .max) == .distantFuture)
    }

    @Test func ordersByTime() {
        #expect(Deadline(nanoseconds: 1) < Deadline(nanoseconds: 2))
        #expect(Deadline(nanoseconds: 2) == Deadline(nanoseconds: 2))
        #expect(Deadline.now < .distantFuture)
    }

    @Test func readsTheMonotonicClock() {
        let before = MonotonicClock.nanoseconds()
        let now = Deadline.now
        let later = Deadline.after(.seconds(1))
        let after = MonotonicClock.nanoseconds()
        #expect((before...after).contains(now.nanoseconds))
        #expect((before...after).contains(later.nanoseconds - 1_000_000_000))
    }
}
