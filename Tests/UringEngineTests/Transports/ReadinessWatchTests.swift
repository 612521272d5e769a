import Testing
import UringTesting

@testable import UringEngine

/// Readers and writers, in orders that a kernel seldom takes.
@Suite struct ReadinessWatchTests {
    private func polls(_ fixture: LoopFixture, _ descriptor: Descriptor) -> [ScriptedOperation] {
        fixture.driver.inFlight(of: .poll, on: descriptor)
    }

    private func end(_ fixture: LoopFixture, _ descriptor: Descriptor) throws {
        try fixture.settle()
        #expect(fixture.driver.openDescriptors == [descriptor], "it stays its owner's")
        #expect(fixture.loop.readinessOwners.isEmpty)
        fixture.driver.close(descriptor)
        try fixture.expectBaseline()
    }

    @Test func pollsAnewAfterEachCall() throws {
        let fixture = try LoopFixture()
        let descriptor = fixture.driver.makeConnection()
        var count = 0
        try fixture.loop.addReader(descriptor) { count += 1 }
        for expected in 1...3 {
            try fixture.settle()
            let poll = try #require(polls(fixture, descriptor).first)
            fixture.driver.complete(poll.token, result: 1)
            try fixture.settle()
            #expect(count == expected)
        }
        fixture.loop.removeReader(descriptor)
        try end(fixture, descriptor)
    }

    /// The poll of the file that had the number before answers last.
    @Test func takesNoNewsOfTheFileBefore() throws {
        let fixture = try LoopFixture(ScriptedDriver(answersCancels: false))
        let descriptor = fixture.driver.makeConnection()
        var calls: [String] = []
        try fixture.loop.addReader(descriptor) { calls.append("old") }
        try fixture.settle()
        let old = try #require(polls(fixture, descriptor).first)
        try fixture.loop.addReader(descriptor) { calls.append("new") }
        try fixture.settle()
        fixture.driver.complete(old.token, result: 1)
        try fixture.settle()
        #expect(calls == [])
        fixture.driver.complete(try #require(polls(fixture, descriptor).first).token, result: 1)
        try fixture.settle()
        #expect(calls == ["new"])
        fixture.loop.removeReader(descriptor)
        try fixture.settle()
        for operation in fixture.driver.inFlight {
            let result: Int32 = operation.kind == .cancel ? 0 : -125
            fixture.driver.complete(operation.token, result: result)
        }
        try end(fixture, descriptor)
    }

    @Test func restsWhileTheKernelHasNoMemory() throws {
        let fixture = try LoopFixture()
        let descriptor = fixture.driver.makeConnection()
        var count = 0
        try fixture.loop.addWriter(descriptor) { count += 1 }
        try fixture.settle()
        fixture.driver.fail(.poll, on: descriptor, with: .noMemory)
        try fixture.settle()
        #expect(polls(fixture, descriptor).isEmpty, "asking at once would spin")
        try fixture.advance(by: .milliseconds(10))
        fixture.driver.complete(try #require(polls(fixture, descriptor).first).token, result: 4)
        try fixture.settle()
        #expect(count == 1)
        fixture.loop.removeWriter(descriptor)
        try end(fixture, descriptor)
    }

    @Test func reportsADescriptorThatWasClosed() throws {
        let fixture = try LoopFixture()
        let descriptor = fixture.driver.makeConnection()
        try fixture.loop.addReader(descriptor) {}
        try fixture.settle()
        fixture.driver.fail(.poll, on: descriptor, with: .badDescriptor)
        try fixture.settle()
        #expect(fixture.failures.map(\.origin) == [.readiness])
        #expect((fixture.failures.first?.error as? IOError)?.errno == .badDescriptor)
        #expect(!fixture.loop.removeReader(descriptor))
        try end(fixture, descriptor)
    }

    @Test func leavesTheDescriptorOpenWhenTheLoopShutsDown() throws {
        let fixture = try LoopFixture()
        let descriptor = fixture.driver.makeConnection()
        try fixture.loop.addReader(descriptor) {}
        try fixture.loop.addWriter(descriptor) {}
        try fixture.settle()
        #expect(fixture.loop.shutDown() == 0)
        #expect(fixture.driver.openDescriptors == [descriptor])
    }

    @Test func refusesWhatTheDriverRefuses() throws {
        let fixture = try LoopFixture()
        let descriptor = fixture.driver.makeConnection()
        fixture.driver.failNext(.checkPollable, with: .notPermitted)
        #expect(throws: IOError.self) { try fixture.loop.addReader(descriptor) {} }
        try end(fixture, descriptor)
    }
}
