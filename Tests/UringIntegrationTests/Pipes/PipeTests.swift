import Glibc
import Testing

@testable import UringEngine

extension Integration {
    @Suite("Pipes") struct PipeTests {
        @Test(arguments: Rung.all)
        func carryEverythingInOrderToTheEnd(rung: Rung) throws {
            try withLoop(rung) { server in
                let pattern = Pattern(seed: 11)
                let total = bulk(3_000_000)
                let reader = CheckingHandler(pattern, expecting: total)
                let writer = SendingHandler(pattern, totalBytes: total) { $0.close() }
                try server.run { _ = try $0.openPipe(reader: reader, writer: writer) }
                try reader.complete.wait("all bytes")
                try expectOneCleanLoss(of: reader, on: server)
                try expectOneCleanLoss(of: writer, on: server)
                let (wrong, received, ends) = try server.run { _ in
                    (reader.firstWrongByte, reader.receivedBytes, reader.eofCount)
                }
                #expect(wrong == nil)
                #expect(received == total)
                #expect(ends == 1)
            }
        }

        @Test(arguments: Rung.all)
        func endWithEPIPEWithoutAReaderAndWithoutASignal(rung: Rung) throws {
            try withLoop(rung) { server in
                let pipe = try RawPipe()
                let handler = TestHandler()
                let transport = try server.run { loop in
                    // The default action would end this process.
                    signal(SIGPIPE, SIG_DFL)
                    return try loop.adoptStream(pipe.takeWriter(), .taken, handler: handler)
                }
                pipe.closeReader()
                try server.run { _ in transport.write([1, 2, 3]) }
                try handler.lost.wait("connectionLost")
                #expect(try server.run { _ in handler.loss?.errno } == .brokenPipe)
            }
        }

        /// A full pipe: the write waits in the kernel, or for room, when the reader goes.
        @Test(arguments: Rung.all)
        func endWithEPIPEWhileAWriteWaits(rung: Rung) throws {
            try withLoop(rung) { server in
                let pipe = try RawPipe()
                let handler = TestHandler()
                let transport = try server.run { loop in
                    try loop.adoptStream(pipe.takeWriter(), .taken, handler: handler)
                }
                try server.run { _ in transport.write([UInt8](repeating: 7, count: 1 << 20)) }
                try server.eventually("the pipe is full") { _ in
                    transport.writeBufferBytes < 1 << 20
                }
                pipe.closeReader()
                try handler.lost.wait("connectionLost")
                #expect(try server.run { _ in handler.loss?.errno } == .brokenPipe)
            }
        }

        @Test(arguments: Rung.all)
        func closeAfterAllWasWritten(rung: Rung) throws {
            try withLoop(rung) { server in
                let pattern = Pattern(seed: 12)
                let pipe = try RawPipe()
                let handler = TestHandler { transport in
                    transport.write(pattern.bytes(count: 500_000))
                    transport.close()
                }
                try server.run { loop in
                    _ = try loop.adoptStream(pipe.takeWriter(), .taken, handler: handler)
                }
                #expect(try pipe.readToEnd() == pattern.bytes(count: 500_000))
                try expectOneCleanLoss(of: handler, on: server)
            }
        }

        /// The end of the output of an end that only writes is its close.
        @Test(arguments: Rung.all)
        func endTheirOutputByTheirClose(rung: Rung) throws {
            try withLoop(rung) { server in
                let pipe = try RawPipe()
                let handler = TestHandler { transport in
                    transport.write([1, 2, 3])
                    transport.writeEOF()
                    #expect(!transport.write([4]))
                }
                try server.run { loop in
                    _ = try loop.adoptStream(pipe.takeWriter(), .taken, handler: handler)
                }
                #expect(try pipe.readToEnd() == [1, 2, 3])
                try expectOneCleanLoss(of: handler, on: server)
            }
        }

        @Test(arguments: Rung.all)
        func takeNothingForTheOtherDirection(rung: Rung) throws {
            try withLoop(rung) { server in
                let (reader, writer) = (TestHandler(), TestHandler())
                let ends = try server.run { try $0.openPipe(reader: reader, writer: writer) }
                try server.run { _ in
                    #expect(!ends.reader.isWritable && ends.reader.isReadable)
                    #expect(ends.writer.isWritable && !ends.writer.isReadable)
                    #expect(!ends.reader.write([1]), "nothing is queued")
                    #expect(ends.reader.writeBufferBytes == 0)
                    #expect(throws: IOError.self) { try ends.reader.setOption(.noDelay(true)) }
                    ends.writer.close()
                }
                try expectOneCleanLoss(of: reader, on: server)
                try expectOneCleanLoss(of: writer, on: server)
            }
        }

        /// The writer is told to stop, and a paused reader takes no more than its caps.
        @Test(arguments: Rung.all)
        func holdAWriterBackWhileNobodyReads(rung: Rung) throws {
            try withLoop(rung) { server in
                let pattern = Pattern(seed: 13)
                let total = bulk(2_000_000)
                let reader = CheckingHandler(pattern, expecting: total) { $0.pauseReading() }
                let writer = SendingHandler(pattern, totalBytes: total) { $0.close() }
                let ends = try server.run { try $0.openPipe(reader: reader, writer: writer) }
                try writer.paused.wait("pauseWriting")
                #expect(try server.run { _ in reader.receivedBytes } == 0)
                try server.run { loop in
                    #expect(ends.reader.parkedPinnedBytes <= 2 * loop.inputCapBytes)
                    ends.reader.resumeReading()
                }
                try reader.complete.wait("all bytes")
                #expect(try server.run { _ in reader.firstWrongByte } == nil)
                try reader.lost.wait("the reader's end")
                try writer.lost.wait("the writer's end")
            }
        }

        @Test(arguments: Rung.all)
        func needOnlyFewBuffers(rung: Rung) throws {
            let configure: (inout LoopOptions) -> Void = { options in
                options.bufferBytes = 64
                options.bufferCount = 4
            }
            try withLoop(rung, configure) { server in
                let pattern = Pattern(seed: 14)
                var handlers: [CheckingHandler] = []
                for _ in 0..<6 {
                    let reader = CheckingHandler(pattern, expecting: 20_000)
                    handlers.append(reader)
                    let writer = SendingHandler(pattern, totalBytes: 20_000) { $0.close() }
                    try server.run { _ = try $0.openPipe(reader: reader, writer: writer) }
                }
                for handler in handlers {
                    try handler.complete.wait("all bytes")
                    try handler.lost.wait("the reader's end")
                    #expect(try server.run { _ in handler.firstWrongByte } == nil)
                }
            }
        }

        /// Both ends armed and waiting when they are aborted.
        @Test(arguments: Rung.all)
        func endAtOnceWhenAborted(rung: Rung) throws {
            try withLoop(rung) { server in
                let (reader, writer) = (TestHandler { $0.pauseReading() }, TestHandler())
                let ends = try server.run { try $0.openPipe(reader: reader, writer: writer) }
                try server.run { _ in
                    ends.writer.write([UInt8](repeating: 1, count: 1 << 20))
                }
                try server.run { _ in
                    ends.reader.abort()
                    ends.writer.abort()
                }
                try expectOneCleanLoss(of: reader, on: server)
                try expectOneCleanLoss(of: writer, on: server)
            }
        }
    }
}
