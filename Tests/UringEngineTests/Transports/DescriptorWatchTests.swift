import Testing
import UringTesting

@testable import UringEngine

@Suite struct DescriptorWatchTests {
    private final class Calls {
        var readable = 0
        var cancelled = 0
    }

    private func watch(_ fixture: LoopFixture) throws -> (DescriptorWatch, Descriptor, Calls) {
        let calls = Calls()
        let descriptor = fixture.driver.makeConnection()
        let watch = fixture.loop.watch(descriptor) { calls.readable += 1 }
        try fixture.settle()
        return (watch, descriptor, calls)
    }

    private func polls(_ fixture: LoopFixture, _ descriptor: Descriptor) -> [ScriptedOperation] {
        fixture.driver.inFlight(of: .poll, on: descriptor)
    }

    private func end(_ fixture: LoopFixture, _ descriptor: Descriptor) throws {
        #expect(fixture.driver.openDescriptors == [descriptor], "it stays its owner's")
        fixture.driver.close(descriptor)
        try fixture.expectBaseline()
    }

    @Test(arguments: [true, false]) func callsBackEachTime(isMultishot: Bool) throws {
        let driver = ScriptedDriver()
        driver.capabilities.multishotPoll = isMultishot
        let fixture = try LoopFixture(driver)
        let (watch, descriptor, calls) = try watch(fixture)
        for count in 1...4 {
            let poll = try #require(polls(fixture, descriptor).first)
            driver.complete(poll.token, result: 1, isTerminal: !isMultishot || count == 3)
            try fixture.settle()
            #expect(calls.readable == count)
            #expect(polls(fixture, descriptor).count == 1, "armed again when it ended")
        }
        watch.cancel { calls.cancelled += 1 }
        watch.cancel()
        #expect(calls.cancelled == 0)
        try fixture.settle()
        #expect(calls.cancelled == 1)
        try end(fixture, descriptor)
    }

    @Test func callsNobodyAfterTheCancel() throws {
        let fixture = try LoopFixture()
        let (watch, descriptor, calls) = try watch(fixture)
        let poll = try #require(polls(fixture, descriptor).first)
        fixture.driver.complete(poll.token, result: 1, isTerminal: false)
        watch.cancel { calls.cancelled += 1 }
        try fixture.settle()
        #expect(calls.readable == 0)
        #expect(calls.cancelled == 1)
        try end(fixture, descriptor)
    }

    @Test func cancelsInsideItsCallback() throws {
        let fixture = try LoopFixture()
        let descriptor = fixture.driver.makeConnection()
        var watch: DescriptorWatch?
        var count = 0
        watch = fixture.loop.watch(descriptor) {
            count += 1
            watch?.cancel()
            watch = nil
        }
        try fixture.settle()
        let poll = try #require(polls(fixture, descriptor).first)
        fixture.driver.complete(poll.token, result: 1, isTerminal: false)
        fixture.driver.complete(poll.token, result: 1, isTerminal: true)
        try fixture.settle()
        #expect(count == 1)
        try end(fixture, descriptor)
    }

    @Test func givesUpOnADescriptorThatFails() throws {
        let fixture = try LoopFixture()
        let (watch, descriptor, calls) = try watch(fixture)
        fixture.driver.fail(.poll, on: descriptor, with: .badDescriptor)
        try fixture.settle()
        #expect(polls(fixture, descriptor).isEmpty, "it would come back at once, for ever")
        watch.cancel { calls.cancelled += 1 }
        try fixture.settle()
        #expect(calls.cancelled == 1)
        try end(fixture, descriptor)
    }

    @Test func leavesTheDescriptorOpenWhenTheLoopShutsDown() throws {
        let fixture = try LoopFixture()
        let (_, descriptor, _) = try watch(fixture)
        #expect(fixture.loop.shutDown() == 0)
        #expect(fixture.driver.openDescriptors == [descriptor])
        #expect(fixture.loop.isDrained)
    }
}
