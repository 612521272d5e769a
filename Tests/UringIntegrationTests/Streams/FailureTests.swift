import Glibc
import Testing

@testable import UringEngine

extension Integration {
    @Suite("Failures") struct FailureTests {
        private struct Refusal: Error {}

        @Test(arguments: Rung.withZeroCopy)
        func resetInTheMiddleEndsOneConnectionWithItsReason(rung: Rung) throws {
            try withLoop(rung) { server in
                let listening = try server.listen { EchoHandler() }
                let sibling = try listening.connect()
                _ = try listening.accepted()
                for _ in 0..<20 {
                    let peer = try listening.connect()
                    let handler = try listening.accepted()
                    try peer.send(Pattern(), 0..<bulk(100_000))
                    _ = try peer.receive(1_000)
                    peer.reset()
                    try handler.lost.wait("connectionLost")
                    let loss = try server.run { _ in handler.loss }
                    let reasons: Set<IOError.Reason?> = [
                        .errno(.connectionReset), .errno(.brokenPipe),
                    ]
                    #expect(reasons.contains(loss?.reason), "\(String(describing: loss))")
                }
                try exchange([sibling], byteCount: 1_000)
            }
        }

        /// A send waits in the kernel for room that never comes: the reset must end it.
        @Test(arguments: Rung.all)
        func resetEndsASendUnderWay(rung: Rung) throws {
            try withLoop(rung) { server in
                let listening = try server.listen { SendingHandler(Pattern(), totalBytes: 1 << 30) }
                let peer = try listening.connect(Peer.Buffers(receive: 4_096))
                let handler = try listening.accepted()
                try handler.paused.wait("pauseWriting")
                peer.reset()
                try handler.lost.wait("connectionLost")
                let (loss, count) = try server.run { _ in (handler.loss, handler.lossCount) }
                #expect(loss?.errno == .connectionReset || loss?.errno == .brokenPipe)
                #expect(count == 1)
            }
        }

        @Test(arguments: Rung.withZeroCopy)
        func killedPeerIsNoticed(rung: Rung) throws {
            try withLoop(rung) { server in
                for isReset in [false, true, false, true] {
                    let listening = try server.listen { TestHandler() }
                    let socket = try Peer(to: listening.address, .flood)
                    if isReset { socket.setLinger() }
                    let child = try ChildProcess.writingZeroes(to: socket)
                    socket.close()
                    let handler = try listening.accepted()
                    try server.eventually("a transfer is under way") { _ in
                        handler.receivedBytes > bulk(1_000_000)
                    }
                    child.kill()
                    try handler.lost.wait("connectionLost")
                    let loss = try server.run { _ in handler.loss }
                    #expect(loss?.errno == (isReset ? .connectionReset : nil))
                }
            }
        }

        /// One buffer for all: most find none, and when it is their turn bytes and reset are there together.
        ///
        /// They write nothing, which would fail and tell of the reset.
        @Test(arguments: Rung.all)
        func findsTheResetBehindBytesThatWaitedForABuffer(rung: Rung) throws {
            let configure = { (options: inout LoopOptions) in
                options.bufferBytes = 64
                options.bufferCount = 1
            }
            try withLoop(rung, configure) { server in
                let listening = try server.listen { TestHandler() }
                let peers = try (0..<8).map { _ in try listening.connect() }
                let handlers = try peers.map { _ in try listening.accepted() }
                let hold = try Hold(server)
                for peer in peers {
                    try peer.send(Pattern(), 0..<200)
                    peer.reset()
                }
                hold.release()
                for handler in handlers {
                    try handler.lost.wait("connectionLost")
                    #expect(try server.run { _ in handler.loss }?.errno == .connectionReset)
                }
            }
        }

        @Test(arguments: Rung.withZeroCopy)
        func throwingHandlerEndsOnlyItsOwnConnection(rung: Rung) throws {
            try withLoop(rung) { server in
                server.expectsFailures = true
                let good = try server.listen { EchoHandler() }
                let sibling = try good.connect()
                let throwing = try server.listen { ThrowingHandler() }
                let unmade = try server.listen { throw Refusal() }
                let stillborn = try server.listen { TestHandler { _ in throw Refusal() } }
                let peer = try throwing.connect()
                try peer.send([1])
                #expect(try peer.receiveToEnd().ending == .reset)
                let handler = try throwing.accepted()
                try handler.lost.wait("connectionLost")
                #expect(try server.run { _ in handler.loss } != nil)
                _ = try unmade.connect().receiveToEnd()
                #expect(try stillborn.connect().receiveToEnd().ending == .reset)
                try exchange([sibling], byteCount: 5_000)
                let failures = server.notes.failures.all
                #expect(failures.count == 3, "\(failures)")
            }
        }

        @Test func throwingJobsAndTimersAreReportedAndTheLoopGoesOn() throws {
            try withLoop { server in
                server.expectsFailures = true
                let done = Gate()
                try server.run { loop in
                    loop.callSoon { throw Refusal() }
                    loop.callLater(.zero) { throw Refusal() }
                    loop.callLater(.milliseconds(1)) { done.open() }
                }
                try done.wait("a later timer")
                #expect(server.notes.failures.all.count == 2)
            }
        }
    }
}

private final class ThrowingHandler: TestHandler, @unchecked Sendable {
    private struct NotThis: Error {}

    override func take(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) throws {
        throw NotThis()
    }
}
