import Glibc
import Synchronization
import Testing

@testable import UringEngine

extension Integration {
    @Suite("Teardown") struct TeardownTests {
        /// Receives, sends, accepts and connects are under way, and the peers go on writing:
        /// nothing may reach the pool's memory once `shutDown` has returned.
        @Test(arguments: Rung.withZeroCopy)
        func nothingIsWrittenToThePoolAfterShutDown(rung: Rung) throws {
            let server = try LoopThread(rung) { _ in }
            let listening = try server.listen { SendingHandler(Pattern(), totalBytes: 1 << 30) }
            let pool = server.loop.pool
            let peers = try (0..<16).map { _ in try Peer(to: listening.address) }
            let handlers = try peers.map { _ in try listening.accepted() }
            let writers = peers.map { peer in
                WorkThread {
                    while peer.sendWhilePossible(Pattern(), from: 0, pieceBytes: 100) > 0 {}
                }
            }
            try server.eventually("bytes go both ways") { _ in
                handlers.allSatisfy { $0.receivedBytes > 0 && $0.pauseCount > 0 }
            }
            #expect(try server.stop() == 0)
            let after = try contents(of: pool)
            try passTime(.milliseconds(200))
            #expect(try contents(of: pool) == after)
            for writer in writers { try writer.join() }
            for peer in peers { _ = try peer.receiveToEnd() }
            for handler in handlers { try handler.lost.wait("connectionLost") }
            #expect(handlers.allSatisfy { $0.lossCount == 1 && $0.misplacedCalls == 0 })
        }

        private func contents(of pool: BufferPool) throws -> [UInt8] {
            let region = pool.region
            let byteCount = region.bufferBytes * region.bufferCount
            return Array(UnsafeRawBufferPointer(start: region.base, count: byteCount))
        }

        @Test(arguments: Rung.withZeroCopy)
        func receivedBytesOutliveTheirLoop(rung: Rung) throws {
            let pattern = Pattern(seed: 1)
            let keeper = Keeper()
            weak var pool: BufferPool?
            try withLoop(rung) { server in
                let listening = try server.listen { KeepingHandler(keeper) }
                let peer = try listening.connect()
                try peer.send(pattern, 0..<1_000)
                try keeper.filled.wait("the bytes")
                pool = server.loop.pool
                server.expectedLentBuffers = 1
            }
            #expect(pool != nil, "a lent buffer keeps its pool")
            #expect(keeper.holds(pattern))
            keeper.giveBack()
            #expect(pool == nil, "the last return frees it")
        }

        @Test(arguments: Rung.withZeroCopy)
        func bytesGivenBackElsewhereReachTheKernelAgain(rung: Rung) throws {
            try withLoop(rung) {
                $0.bufferBytes = 1_024
                $0.bufferCount = 4
            } _: { server in
                let keeper = Keeper()
                let listening = try server.listen { KeepingHandler(keeper) }
                let peer = try listening.connect()
                for round in 0..<200 {
                    try peer.send(Pattern(seed: round), 0..<1_000)
                    try keeper.filled.wait("the bytes")
                    #expect(keeper.holds(Pattern(seed: round)))
                    keeper.giveBack()
                }
            }
        }

        @Test(arguments: Rung.withZeroCopy)
        func loopsComeAndGo(rung: Rung) throws {
            for _ in 0..<20 {
                try withLoop(rung) { server in
                    let listening = try server.listen { EchoHandler() }
                    try exchange([try listening.connect()], byteCount: 1_000)
                }
            }
        }

        @Test(arguments: Rung.withZeroCopy)
        func drainFinishesWhatIsUnderWay(rung: Rung) throws {
            try withLoop(rung) { server in
                let pattern = Pattern(seed: 2)
                let listening = try server.listen {
                    TestHandler { $0.write(pattern.bytes(count: 2_000_000)) }
                }
                let peer = try listening.connect()
                _ = try listening.accepted()
                try server.run { $0.drain() }
                try peer.expect(pattern, 0..<2_000_000)
                #expect(try peer.ending() == .eof)
                peer.close()
                try server.eventually("the loop is drained") { $0.isDrained }
            }
        }
    }
}

/// Holds received bytes for as long as a test likes.
private final class Keeper: Sendable {
    private let bytes = Mutex<ReceivedBytes?>(nil)
    let filled = Gate()

    func keep(_ new: consuming ReceivedBytes) {
        var new = Optional(new)
        bytes.withLock { swap(&$0, &new) }
        filled.open()
    }

    func giveBack() {
        bytes.withLock { $0 = nil }
    }

    func holds(_ pattern: Pattern) -> Bool {
        bytes.withLock { bytes in
            bytes?.withBytes { span in span.withUnsafeBytes { pattern.matches($0, at: 0) } }
                ?? false
        }
    }
}

private final class KeepingHandler: TestHandler, @unchecked Sendable {
    private let keeper: Keeper

    init(_ keeper: Keeper) {
        self.keeper = keeper
        super.init()
    }

    override func take(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) {
        keeper.keep(bytes)
    }
}
