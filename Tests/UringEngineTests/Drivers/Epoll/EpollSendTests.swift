import CUring
import Glibc
import Testing

@testable import UringEngine

@Suite("A send on epoll")
struct EpollSendTests {
    /// Bytes that stay where they are.
    private final class Bytes {
        let raw: UnsafeMutableRawBufferPointer

        init(_ bytes: [UInt8]) {
            raw = .allocate(byteCount: bytes.count, alignment: 1)
            raw.copyBytes(from: bytes)
        }

        deinit { raw.deallocate() }
    }

    @discardableResult
    private func send(
        _ bytes: Bytes,
        on pair: SocketPair,
        _ harness: EpollHarness
    )
        -> OperationToken
    {
        let token = harness.token(.send)
        harness.driver.send(token, on: pair.near, bytes: UnsafeRawBufferPointer(bytes.raw))
        return token
    }

    @Test func isMadeAtOnce() throws {
        let harness = try EpollHarness()
        let pair = try SocketPair()
        let bytes = Bytes([1, 2, 3, 4, 5])
        let token = send(bytes, on: pair, harness)
        #expect(harness.driver.hasUnreadCompletions)
        #expect(pair.read(9) == [1, 2, 3, 4, 5])
        let sent = try #require(harness.reap().first)
        #expect(sent.token == token && sent.result == 5)
        #expect(sent.isTerminal && sent.buffersReleased && sent.buffer == .none)
    }

    @Test func ofSeveralRunsArrivesAsOne() throws {
        let harness = try EpollHarness()
        let pair = try SocketPair()
        let bytes = Bytes([1, 2, 3, 4, 5, 6])
        let runs = UnsafeMutablePointer<iovec>.allocate(capacity: 2)
        let message = UnsafeMutablePointer<cu_message>.allocate(capacity: 1)
        defer {
            runs.deallocate()
            message.deallocate()
        }
        runs[0] = iovec(iov_base: bytes.raw.baseAddress, iov_len: 2)
        runs[1] = iovec(iov_base: bytes.raw.baseAddress.map { $0 + 2 }, iov_len: 4)
        message.initialize(to: cu_message())
        message.pointee.header.msg_iov = runs
        message.pointee.header.msg_iovlen = 2
        harness.driver.sendMessage(harness.token(.send), on: pair.near, message: message)
        #expect(try harness.completions(1).map(\.result) == [6])
        #expect(pair.read(9) == [1, 2, 3, 4, 5, 6])
    }

    @Test func toAClosedPeerFailsWithoutASignal() throws {
        let harness = try EpollHarness()
        let pair = try SocketPair()
        pair.closeFar()
        let bytes = Bytes([1])
        send(bytes, on: pair, harness)
        #expect(try harness.completions(1).map(\.errno) == [.brokenPipe])
    }

    /// Fills the socket, and leaves a send waiting.
    private func fill(
        _ pair: SocketPair,
        _ bytes: Bytes,
        _ harness: EpollHarness
    ) throws
        -> (sent: Int, waiting: OperationToken)
    {
        var sent = 0
        while true {
            let token = send(bytes, on: pair, harness)
            try harness.driver.submitAndWait(.poll)
            let all = harness.reap()
            guard let one = all.first else { return (sent, token) }
            #expect(all.count == 1 && one.result > 0)
            sent += Int(one.result)
        }
    }

    @Test func waitsForRoomAndGoesOn() throws {
        let harness = try EpollHarness()
        let pair = try SocketPair()
        let bytes = Bytes([UInt8](repeating: 6, count: 65_536))
        for _ in 0..<3 {
            let (sent, waiting) = try fill(pair, bytes, harness)
            let enters = harness.driver.metrics.enters
            try harness.waitOut(nanoseconds: 5_000_000)
            #expect(harness.driver.metrics.enters - enters < 4, "it does not spin")
            #expect(harness.reap().isEmpty)
            #expect(pair.read(sent).count == sent)
            let rest = try harness.rest(of: waiting)
            #expect(rest.map { $0.result > 0 } == [true])
            #expect(pair.read(1 << 20).count == Int(rest.first?.result ?? 0))
        }
    }

    @Test func thatWaitsCanBeCancelledAndHasSentNothing() throws {
        let harness = try EpollHarness()
        let pair = try SocketPair()
        let bytes = Bytes([UInt8](repeating: 6, count: 65_536))
        let (sent, waiting) = try fill(pair, bytes, harness)
        harness.driver.cancel(harness.token(.cancel), target: waiting)
        #expect(harness.reap().map(\.result) == [-ECANCELED, 0])
        #expect(pair.read(1 << 20).count == sent)
        #expect(pair.read(1).isEmpty)
    }

    @Test func thatWaitsEndsWithThePeer() throws {
        let harness = try EpollHarness()
        let pair = try SocketPair()
        let bytes = Bytes([UInt8](repeating: 6, count: 65_536))
        let (_, waiting) = try fill(pair, bytes, harness)
        pair.closeFar()
        let end = try harness.rest(of: waiting)
        #expect(end.count == 1 && [.brokenPipe, .connectionReset].contains(end.first?.errno))
    }

    /// A handler that answers each sent block with the next would keep the loop from all others.
    @Test func waitsForALookAtOthersAfterATurnWithoutOne() throws {
        let harness = try EpollHarness()
        let (busy, other) = (try SocketPair(), try SocketPair())
        let bytes = Bytes([1])
        harness.driver.poll(
            harness.token(.poll),
            on: other.near,
            events: .readable,
            isMultishot: true
        )
        try harness.driver.submitAndWait(.poll)
        other.write([1])
        var sends = 0
        var seen = false
        while !seen, sends < 100 {
            send(bytes, on: busy, harness)
            sends += 1
            // As the loop does it: no wait while completions are unread.
            if !harness.driver.hasUnreadCompletions { try harness.driver.submitAndWait(.poll) }
            seen = harness.reap().contains { $0.token.kind == .poll }
        }
        #expect(seen && sends <= 4)
    }
}
