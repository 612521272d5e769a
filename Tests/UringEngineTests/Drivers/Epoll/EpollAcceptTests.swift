import CUring
import Glibc
import Testing

@testable import UringEngine

@Suite("Connections on epoll")
struct EpollAcceptTests {
    private func withAddress(
        _ address: SocketAddress,
        _ body: (UnsafePointer<cu_address>) -> Void
    )
        throws
    {
        let form = UnsafeMutablePointer<cu_address>.allocate(capacity: 1)
        defer { form.deallocate() }
        form.initialize(to: cu_address())
        try address.store(in: &form.pointee)
        body(form)
    }

    @Test(arguments: [true, false])
    func areNonBlockingAndClosedOnExec(isMultishot: Bool) throws {
        let harness = try EpollHarness()
        let driver = harness.driver
        let (listener, address) = try driver.loopbackListener()
        let accept = harness.token(.accept)
        driver.accept(accept, on: listener, isMultishot: isMultishot)
        let client = try driver.openStreamSocket(for: address)
        let connect = harness.token(.connect)
        try withAddress(address) { driver.connect(connect, on: client, to: $0) }
        let both = try harness.completions(2)
        #expect(both.first { $0.token == connect }?.result == 0)
        let accepted = try #require(both.first { $0.token == accept })
        #expect(accepted.isTerminal == !isMultishot)
        #expect(fcntl(accepted.result, F_GETFD) & FD_CLOEXEC != 0)
        #expect(fcntl(accepted.result, F_GETFL) & O_NONBLOCK != 0)
        #expect(try driver.peerAddress(of: client) == address)
        for descriptor in [accepted.result, client.rawValue, listener.rawValue] {
            close(descriptor)
        }
    }

    /// One edge for many; each accept asks for one.
    @Test(arguments: [true, false], [1, 5, 200])
    func areAllTakenAfterOneEdge(isMultishot: Bool, count: Int) throws {
        let harness = try EpollHarness()
        let driver = harness.driver
        let (listener, address) = try driver.loopbackListener()
        let clients = try (0..<count).map { _ in try driver.openStreamSocket(for: address) }
        for client in clients {
            try withAddress(address) {
                driver.connect(harness.token(.connect), on: client, to: $0)
            }
        }
        #expect(try harness.completions(count).allSatisfy { $0.result == 0 })
        var accepted: [Int32] = []
        var token = harness.token(.accept)
        driver.accept(token, on: listener, isMultishot: isMultishot)
        while accepted.count < count {
            for completion in try harness.completions(1) {
                accepted.append(completion.result)
                guard completion.isTerminal else { continue }
                token = harness.token(.accept)
                driver.accept(token, on: listener, isMultishot: isMultishot)
            }
        }
        #expect(Set(accepted).count == count && accepted.allSatisfy { $0 >= 0 })
        driver.cancel(harness.token(.cancel), target: token)
        #expect(harness.reap().map(\.result) == [-ECANCELED, 0])
        for descriptor in accepted + clients.map(\.rawValue) + [listener.rawValue] {
            close(descriptor)
        }
    }

    @Test func areRefusedWhereNobodyListens() throws {
        let harness = try EpollHarness()
        let (listener, address) = try harness.driver.loopbackListener()
        harness.driver.close(listener)
        let client = try harness.driver.openStreamSocket(for: address)
        let connect = harness.token(.connect)
        try withAddress(address) { harness.driver.connect(connect, on: client, to: $0) }
        #expect(try harness.rest(of: connect).map(\.errno) == [.connectionRefused])
        harness.driver.close(client)
    }

    @Test func canBeGivenUp() throws {
        let harness = try EpollHarness()
        let client = try harness.driver.openStreamSocket(for: .ipv4(0, port: 0))
        let connect = harness.token(.connect)
        // A test network (RFC 5737): nobody answers there.
        try withAddress(.ipv4(0xC000_0201, port: 9)) {
            harness.driver.connect(connect, on: client, to: $0)
        }
        if !harness.driver.hasUnreadCompletions {
            harness.driver.cancel(harness.token(.cancel), target: connect)
            #expect(harness.reap().map(\.result) == [-ECANCELED, 0])
        }
        harness.driver.close(client)
    }
}
