import Testing
import UringTesting

@testable import UringEngine

@Suite struct StreamAbortTests {
    @Test func cancelsThenReapsThenResetsThenTells() throws {
        let fixture = try LoopFixture(ScriptedDriver(answersCancels: false))
        let (peer, handler) = try fixture.connect()
        handler.transport.write([1, 2, 3])
        try fixture.settle()
        handler.transport.abort()
        handler.transport.abort()
        try fixture.settle()
        let cancels = fixture.driver.operations(of: .cancel)
        #expect(cancels.count == 2, "the receive and the send, each once")
        #expect(handler.log == ["made"])
        #expect(fixture.driver.openDescriptors.contains(peer))
        fixture.driver.fail(.receive, on: peer, with: .cancelled)
        for cancel in cancels { fixture.driver.complete(cancel.token, result: 0) }
        try fixture.settle()
        #expect(fixture.driver.openDescriptors.contains(peer), "the send is still in flight")
        fixture.driver.completeSend(on: peer, .short(2))
        try fixture.settle()
        #expect(fixture.driver.sentBytes(on: peer) == [1, 2], "a cancelled send reported bytes")
        #expect(fixture.driver.operations(of: .send, on: peer).count == 1)
        let events = fixture.driver.events(on: peer)
        #expect(events == [.optionSet(peer, .resetOnClose), .closed(peer)])
        #expect(handler.log == ["made", "lost"])
        #expect(handler.transport.writeBufferBytes == 0)
        fixture.driver.answersCancels = true
        try fixture.expectBaseline()
    }

    @Test func abortsInsideEachCallback() throws {
        let hooks: [(RecordingHandler) -> Void] = [
            { $0.onMade = { $0.abort() } },
            { $0.onData = { _, transport in transport.abort() } },
            { $0.onEOF = { $0.abort() } },
            { $0.onPause = { $0.abort() } },
            { $0.onResume = { $0.abort() } },
        ]
        let fixture = try LoopFixture()
        for (number, hook) in hooks.enumerated() {
            fixture.prepare = hook
            let (peer, handler) = try fixture.connect()
            try handler.transport.setWriteBufferLimits(low: 0, high: 10)
            if number == 1 { fixture.driver.deliver([1], on: peer) }
            if number == 2 { fixture.driver.endStream(on: peer) }
            if number >= 3 { handler.transport.write(pattern(100)) }
            try fixture.settle()
            if number == 4 { fixture.driver.completeSend(on: peer) }
            try fixture.settle()
            #expect(handler.log.last == "lost")
            #expect(!fixture.driver.openDescriptors.contains(peer))
        }
        try fixture.expectBaseline()
    }

    @Test func turnsAFlushIntoAReset() throws {
        let fixture = try LoopFixture()
        let (peer, handler) = try fixture.connect()
        handler.transport.write(pattern(100))
        handler.transport.close()
        try fixture.settle()
        handler.transport.abort()
        try fixture.settle()
        #expect(handler.log == ["made", "lost"])
        #expect(fixture.driver.descriptor(peer)?.options == [.resetOnClose])
        try fixture.expectBaseline()
    }

    @Test func abortsWhatOthersHoldFromElsewhere() throws {
        let fixture = try LoopFixture()
        let first = try fixture.connect()
        let second = try fixture.connect()
        first.handler.onData = { _, _ in second.handler.transport.abort() }
        fixture.driver.deliver([1], on: first.peer)
        fixture.driver.deliver([2], on: second.peer)
        try fixture.settle()
        #expect(second.handler.log == ["made", "lost"], "what came after is dropped")
        first.handler.transport.abort()
        try fixture.settle()
        try fixture.expectBaseline()
    }
}
