import Testing
import UringTesting

@testable import UringEngine

@Suite struct LoopStaleTests {
    private func fixture() throws -> LoopFixture {
        let fixture = try LoopFixture()
        fixture.loop.toleratesStaleCompletions = true
        return fixture
    }

    private func stale(_ kind: OperationKind) -> OperationToken {
        OperationToken(
            generation: Generation(rawValue: 77),
            kind: kind,
            slot: SlotIndex(rawValue: 3)
        )
    }

    @Test func closesADescriptorThatNobodyAskedFor() throws {
        let fixture = try fixture()
        let descriptor = fixture.driver.makeConnection()
        fixture.driver.complete(stale(.accept), result: descriptor.rawValue, allowStale: true)
        try fixture.settle()
        #expect(fixture.loop.metrics.staleCompletions == 1)
        #expect(fixture.driver.openDescriptors.isEmpty)
        try fixture.expectBaseline()
    }

    @Test func givesBackABufferThatNobodyAskedFor() throws {
        let fixture = try fixture()
        let buffer = try #require(fixture.driver.publishedBuffers.first)
        fixture.driver.complete(stale(.receive), result: 5, buffer: buffer, allowStale: true)
        try fixture.settle()
        #expect(fixture.loop.metrics.staleCompletions == 1)
        #expect(fixture.loop.pool.lentCount == 0)
        try fixture.tick()
        #expect(fixture.driver.publishedBuffers.contains(buffer))
        try fixture.expectBaseline()
    }

    @Test func doesNotReachTheLaterUserOfASlot() throws {
        let fixture = try fixture()
        let (peer, handler) = try fixture.connect()
        let old = try #require(fixture.driver.inFlight(of: .receive, on: peer).first?.token)
        fixture.driver.deliver([1], on: peer, isTerminal: true)
        try fixture.settle()
        let new = try #require(fixture.driver.inFlight(of: .receive, on: peer).first?.token)
        #expect(old.slot == new.slot)
        fixture.driver.complete(old, result: -104, allowStale: true)
        try fixture.settle()
        #expect(handler.log == ["made", "data 1"])
        #expect(fixture.loop.metrics.staleCompletions == 1)
        handler.transport.abort()
        try fixture.settle()
        try fixture.expectBaseline()
    }

    @Test func trapsInDebugBuilds() async {
        await #expect(processExitsWith: .failure) {
            let driver = ScriptedDriver()
            let loop = try EventLoop(driver: .custom(driver))
            driver.complete(OperationToken(rawValue: 1 << 32), result: 0, allowStale: true)
            try loop.runOnce()
        }
    }
}
