import Testing
import UringTesting

@testable import UringEngine

/// Streams on pipes and terminals, in orders that a kernel seldom takes.
@Suite struct PipeStreamTests {
    private func adopt(
        _ fixture: LoopFixture,
        _ handler: RecordingHandler,
        isReadable: Bool = true,
        isWritable: Bool = true,
        isPipe: Bool = true
    ) throws -> Descriptor {
        let descriptor = fixture.driver.makeEnd(
            isReadable: isReadable,
            isWritable: isWritable,
            isPipe: isPipe
        )
        try fixture.loop.adoptStream(descriptor, .taken, handler: handler)
        try fixture.settle()
        return descriptor
    }

    private func inFlight(
        _ fixture: LoopFixture,
        _ kind: OperationKind,
        _ descriptor: Descriptor
    ) -> [ScriptedOperation] {
        fixture.driver.inFlight(of: kind, on: descriptor)
    }

    @Test func readsOnWheneverTheReadEnds() throws {
        let fixture = try LoopFixture()
        let handler = RecordingHandler()
        let pipe = try adopt(fixture, handler, isWritable: false)
        for round in 0..<4 {
            fixture.driver.deliverStream(
                pattern(10, from: 10 * round),
                on: pipe,
                isTerminal: round % 2 == 0
            )
            try fixture.settle()
            #expect(inFlight(fixture, .readStream, pipe).count == 1)
        }
        fixture.driver.end(.readStream, on: pipe, result: 0)
        try fixture.settle()
        #expect(handler.received == pattern(40))
        #expect(handler.log.suffix(2) == ["eof", "lost"])
        try fixture.expectBaseline()
    }

    /// Asking at once would spin: nothing has come yet.
    @Test func pollsBeforeItReadsAfterEAGAIN() throws {
        let fixture = try LoopFixture()
        let handler = RecordingHandler()
        let terminal = try adopt(fixture, handler, isPipe: false)
        fixture.driver.fail(.readStream, on: terminal, with: .again)
        try fixture.settle()
        #expect(inFlight(fixture, .readStream, terminal).isEmpty)
        let poll = try #require(inFlight(fixture, .poll, terminal).first)
        #expect(poll.verb == .poll(terminal, events: .readable, isMultishot: false))
        fixture.driver.complete(poll.token, result: 1)
        try fixture.settle()
        #expect(inFlight(fixture, .readStream, terminal).count == 1)
        handler.transport.abort()
        try fixture.settle()
        #expect(handler.log == ["made", "lost"])
        try fixture.expectBaseline()
    }

    @Test func endsWithTheErrorOfThatPoll() throws {
        let fixture = try LoopFixture()
        let handler = RecordingHandler()
        let terminal = try adopt(fixture, handler, isPipe: false)
        fixture.driver.fail(.readStream, on: terminal, with: .again)
        try fixture.settle()
        fixture.driver.fail(.poll, on: terminal, with: .noMemory)
        try fixture.settle()
        #expect(handler.error?.errno == .noMemory)
        try fixture.expectBaseline()
    }

    /// A terminal that hung up says EIO; for a pipe it is an error as any.
    @Test(arguments: [true, false]) func takesEIOOfATerminalForItsEnd(isPipe: Bool) throws {
        let fixture = try LoopFixture()
        let handler = RecordingHandler()
        let end = try adopt(fixture, handler, isPipe: isPipe)
        fixture.driver.fail(.readStream, on: end, with: Errno(rawValue: 5))
        try fixture.settle()
        #expect(handler.log.contains("eof") == !isPipe)
        #expect(handler.error?.errno == (isPipe ? Errno(rawValue: 5) : nil))
        try fixture.expectBaseline()
    }

    @Test func writesOneBlockAfterTheOtherAndGoesOnAfterShortWrites() throws {
        let fixture = try LoopFixture()
        let handler = RecordingHandler()
        let pipe = try adopt(fixture, handler, isReadable: false)
        let bytes = pattern(100)
        handler.transport.write(bytes)
        handler.transport.close()
        var written: [UInt8] = []
        for count in [1, 30, 69] {
            try fixture.settle()
            let write = try #require(inFlight(fixture, .writeStream, pipe).first)
            #expect(write.verb.bytes == Array(bytes[written.count...]))
            written += write.verb.bytes.prefix(count)
            fixture.driver.end(.writeStream, on: pipe, result: Int32(count))
        }
        try fixture.settle()
        #expect(written == bytes)
        #expect(handler.log == ["made", "lost"])
        #expect(fixture.driver.operations(of: .readStream).isEmpty, "a writing end reads nothing")
        try fixture.expectBaseline()
    }

    @Test func waitsForRoomAfterEAGAIN() throws {
        let fixture = try LoopFixture()
        let handler = RecordingHandler()
        let pipe = try adopt(fixture, handler, isReadable: false)
        handler.transport.write([1, 2, 3])
        try fixture.settle()
        fixture.driver.fail(.writeStream, on: pipe, with: .again)
        try fixture.settle()
        handler.transport.close()
        try fixture.settle()
        #expect(inFlight(fixture, .writeStream, pipe).isEmpty, "there is no room yet")
        let poll = try #require(inFlight(fixture, .poll, pipe).first)
        #expect(poll.verb == .poll(pipe, events: .writable, isMultishot: false))
        fixture.driver.complete(poll.token, result: 4)
        try fixture.settle()
        fixture.driver.end(.writeStream, on: pipe, result: 3)
        try fixture.settle()
        #expect(handler.log == ["made", "lost"])
        try fixture.expectBaseline()
    }

    /// The kernel has the bytes until the write's own end, whatever is asked meanwhile.
    @Test func closesOnlyWhenTheWriteHasEnded() throws {
        let fixture = try LoopFixture(ScriptedDriver(answersCancels: false))
        let handler = RecordingHandler()
        let pipe = try adopt(fixture, handler, isReadable: false)
        handler.transport.write([1, 2, 3])
        try fixture.settle()
        handler.transport.abort()
        try fixture.settle()
        #expect(handler.log == ["made"])
        #expect(fixture.driver.openDescriptors == [pipe])
        fixture.driver.end(.writeStream, on: pipe, result: 2)
        for cancel in fixture.driver.inFlight where cancel.kind == .cancel {
            fixture.driver.complete(cancel.token, result: 0)
        }
        try fixture.settle()
        #expect(handler.log == ["made", "lost"])
        try fixture.expectBaseline()
    }

    @Test func starvesAndReadsOnAtOnceWhenBuffersAreBack() throws {
        let fixture = try LoopFixture()
        let handler = RecordingHandler()
        let pipe = try adopt(fixture, handler, isWritable: false)
        fixture.driver.fail(.readStream, on: pipe, with: .noBuffers)
        try fixture.settle()
        try fixture.tick()
        try fixture.settle()
        #expect(fixture.loop.metrics.starvations == 1)
        #expect(inFlight(fixture, .readStream, pipe).count == 1)
        #expect(fixture.driver.operations(of: .poll).isEmpty, "it would stand in line once more")
        fixture.driver.end(.readStream, on: pipe, result: 0)
        try fixture.settle()
        try fixture.expectBaseline()
    }

    @Test func leavesASharedDescriptorToItsOwner() throws {
        let fixture = try LoopFixture()
        let handler = RecordingHandler()
        let descriptor = fixture.driver.makeEnd(isWritable: false)
        try fixture.loop.adoptStream(descriptor, .shared, handler: handler)
        try fixture.settle()
        #expect(fixture.driver.openDescriptors.count == 2)
        handler.transport.close()
        try fixture.settle()
        #expect(fixture.driver.openDescriptors == [descriptor])
        fixture.driver.close(descriptor)
        try fixture.expectBaseline()
    }

    @Test func isNoConnection() throws {
        let fixture = try LoopFixture { $0.limits.connectionsMax = 1 }
        let handler = RecordingHandler()
        _ = try adopt(fixture, handler)
        #expect(fixture.loop.openConnections == 0)
        #expect(fixture.loop.metrics.connections == 0)
        handler.transport.abort()
        try fixture.settle()
        try fixture.expectBaseline()
    }
}
