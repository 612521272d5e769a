import Testing
import UringEngine

@Suite struct QuarantineTests {
    @Test func releasesInOrderOnceRested() {
        let quarantine = Quarantine(nanoseconds: 10)
        #expect(quarantine.nextRelease == nil)
        #expect(quarantine.release(now: .max) == nil)
        quarantine.hold(BufferID(rawValue: 2), now: 100)
        quarantine.hold(BufferID(rawValue: 1), now: 105)
        #expect(quarantine.count == 2)
        #expect(quarantine.nextRelease == 110)
        #expect(quarantine.release(now: 109) == nil)
        #expect(quarantine.release(now: 110) == BufferID(rawValue: 2))
        #expect(quarantine.release(now: 110) == nil)
        #expect(quarantine.nextRelease == 115)
        #expect(quarantine.release(now: 200) == BufferID(rawValue: 1))
        #expect(quarantine.count == 0)
        #expect(quarantine.nextRelease == nil)
    }

    @Test func restsForNoTimeWhenItIsOff() {
        let quarantine = Quarantine(nanoseconds: 0)
        quarantine.hold(BufferID(rawValue: 0), now: 5)
        #expect(quarantine.release(now: 5) == BufferID(rawValue: 0))
    }
}
