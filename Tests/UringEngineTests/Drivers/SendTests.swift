import CUring
import Glibc
import Testing

@testable import UringEngine

struct SendTests {
    @Test func aSendArrives() throws {
        let harness = try DriverHarness()
        let pair = try SocketPair()
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 5, alignment: 1)
        defer { bytes.deallocate() }
        bytes.copyBytes(from: [1, 2, 3, 4, 5])
        let token = harness.token(.send)
        harness.driver.send(token, on: pair.near, bytes: UnsafeRawBufferPointer(bytes))
        let sent = try #require(try harness.completions(1).first)
        #expect(sent.token == token && sent.result == 5)
        #expect(sent.isTerminal && sent.buffersReleased && sent.buffer == .none)
        #expect(pair.read(9) == [1, 2, 3, 4, 5])
    }

    @Test func aMessageOfSeveralRunsArrivesAsOne() throws {
        let harness = try DriverHarness()
        let pair = try SocketPair()
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 6, alignment: 1)
        let runs = UnsafeMutablePointer<iovec>.allocate(capacity: 2)
        let message = UnsafeMutablePointer<cu_message>.allocate(capacity: 1)
        defer {
            bytes.deallocate()
            runs.deallocate()
            message.deallocate()
        }
        bytes.copyBytes(from: [1, 2, 3, 4, 5, 6])
        runs[0] = iovec(iov_base: bytes.baseAddress, iov_len: 2)
        runs[1] = iovec(iov_base: bytes.baseAddress.map { $0 + 2 }, iov_len: 4)
        message.initialize(to: cu_message())
        message.pointee.header.msg_iov = runs
        message.pointee.header.msg_iovlen = 2
        harness.driver.sendMessage(harness.token(.send), on: pair.near, message: message)
        #expect(try harness.completions(1).map(\.result) == [6])
        #expect(pair.read(9) == [1, 2, 3, 4, 5, 6])
    }

    @Test func aSendToAClosedPeerFailsWithoutASignal() throws {
        let harness = try DriverHarness()
        let pair = try SocketPair()
        pair.closeFar()
        let byte = UnsafeMutableRawBufferPointer.allocate(byteCount: 1, alignment: 1)
        defer { byte.deallocate() }
        harness.driver.send(
            harness.token(.send),
            on: pair.near,
            bytes: UnsafeRawBufferPointer(byte)
        )
        #expect(try harness.completions(1).map(\.errno) == [.brokenPipe])
    }

    @Test(arguments: [[], [.multishotAccept]] as [Set<KernelFeature>])
    func acceptedDescriptorsAreNonBlockingAndClosedOnExec(off: Set<KernelFeature>) throws {
        let harness = try DriverHarness { $0.featuresOff = off }
        let driver = harness.driver
        let (listener, address) = try driver.loopbackListener()
        let accept = harness.token(.accept)
        driver.accept(accept, on: listener, isMultishot: true)
        let client = try driver.openStreamSocket(for: address)
        let form = UnsafeMutablePointer<cu_address>.allocate(capacity: 1)
        defer { form.deallocate() }
        form.initialize(to: cu_address())
        try address.store(in: &form.pointee)
        let connect = harness.token(.connect)
        driver.connect(connect, on: client, to: form)
        let both = try harness.completions(2)
        #expect(both.first { $0.token == connect }?.result == 0)
        let accepted = try #require(both.first { $0.token == accept })
        #expect(accepted.isTerminal == off.contains(.multishotAccept))
        #expect(fcntl(accepted.result, F_GETFD) & FD_CLOEXEC != 0)
        #expect(fcntl(accepted.result, F_GETFL) & O_NONBLOCK != 0)
        #expect(try driver.peerAddress(of: client) == address)
        for descriptor in [accepted.result, client.rawValue, listener.rawValue] {
            close(descriptor)
        }
    }
}
