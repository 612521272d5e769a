import Glibc
import Testing

@testable import UringEngine

/// The other end of datagrams: a blocking socket, made and used without the engine.
///
/// No call blocks for ever.
final class DatagramPeer: PeerSocket, @unchecked Sendable {
    private(set) var address: SocketAddress

    /// Binds to `wished`; nil leaves a Unix socket without a name.
    init(
        at wished: SocketAddress? = .ipv4(0x7F00_0001, port: 0),
        family: Int32? = nil,
        receiveBufferBytes: Int32? = nil
    ) throws {
        address = wished ?? .unix([])
        let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(family ?? address.family, type, 0)
        guard descriptor >= 0 else { throw PeerError("socket") }
        super.init(adopting: descriptor)
        setPatience()
        if let receiveBufferBytes { setOption(SO_RCVBUF, receiveBufferBytes) }
        guard let wished else { return }
        let bound = try withAddress(wished) { bind(descriptor, $0, $1) }
        guard bound == 0 else { throw PeerError("bind") }
        address = try boundAddress()
    }

    private func setPatience() {
        var patience = timeval(tv_sec: Gate.patienceSeconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, size)
    }

    func connect(to address: SocketAddress) throws {
        let result = try withAddress(address) { Glibc.connect(descriptor, $0, $1) }
        guard result == 0 else { throw PeerError("connect") }
    }

    func send(_ bytes: [UInt8], to address: SocketAddress) throws {
        let count = try withAddress(address) {
            sendto(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL), $0, $1)
        }
        guard count == bytes.count else { throw PeerError("sendto") }
    }

    /// Sends to the peer that it is connected to.
    func send(_ bytes: [UInt8]) throws {
        let count = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        guard count == bytes.count else { throw PeerError("send") }
    }

    /// Receives one datagram, with its sender; nil when none is there and `waits` is false.
    func receive(waits: Bool = true) throws -> (bytes: [UInt8], sender: SocketAddress?)? {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let flags = waits ? 0 : Int32(MSG_DONTWAIT)
        let (count, sender) = readAddress {
            recvfrom(descriptor, &bytes, bytes.count, flags, $0, $1)
        }
        if count < 0, errno == EAGAIN, !waits { return nil }
        guard count >= 0 else { throw PeerError("recvfrom") }
        return (Array(bytes.prefix(count)), sender)
    }
}

/// A handler that records what came, and holds its calls to their order.
///
/// Its state is read on the loop, or after `lost`.
class TestDatagramHandler: DatagramHandler, @unchecked Sendable {
    struct Received: Equatable {
        let bytes: [UInt8]
        let sender: SocketAddress
        var isTruncated = false
    }

    private(set) var received: [Received] = []
    private(set) var errors: [IOError] = []
    private(set) var loss: IOError?
    private(set) var lossCount = 0
    private(set) var pauseCount = 0
    private(set) var resumeCount = 0
    /// Calls that came before `connectionMade` or after `connectionLost`: none should.
    private(set) var misplacedCalls = 0
    private(set) var transport: DatagramTransport?
    let came = Gate()
    let failed = Gate()
    let paused = Gate()
    let resumed = Gate()
    let lost = Gate()
    /// Runs for each datagram, after it was recorded.
    var act: (Received, DatagramTransport) throws -> Void = { _, _ in }
    /// Runs in `connectionMade`.
    var whenMade: (DatagramTransport) throws -> Void = { _ in }

    private func note() {
        if transport == nil || lossCount > 0 { misplacedCalls += 1 }
    }

    func connectionMade(_ transport: DatagramTransport) throws {
        if self.transport != nil { misplacedCalls += 1 }
        self.transport = transport
        try whenMade(transport)
    }

    func datagramReceived(_ datagram: consuming Datagram, on transport: DatagramTransport) throws {
        note()
        let seen = Received(
            bytes: datagram.copyToArray(),
            sender: datagram.sender,
            isTruncated: datagram.isTruncated
        )
        received.append(seen)
        came.open()
        try act(seen, transport)
    }

    func errorReceived(_ error: IOError, on transport: DatagramTransport) throws {
        note()
        errors.append(error)
        failed.open()
    }

    func pauseWriting(on transport: DatagramTransport) throws {
        note()
        pauseCount += 1
        paused.open()
    }

    func resumeWriting(on transport: DatagramTransport) throws {
        note()
        resumeCount += 1
        resumed.open()
    }

    func connectionLost(_ transport: DatagramTransport, error: IOError?) {
        note()
        lossCount += 1
        loss = error
        lost.open()
    }
}

/// Sends each datagram back, without a copy.
final class EchoingDatagramHandler: DatagramHandler {
    func datagramReceived(_ datagram: consuming Datagram, on transport: DatagramTransport) throws {
        let sender = datagram.sender
        try transport.send(datagram.takeBytes(), to: sender)
    }
}

/// An endpoint on a loop of a test.
final class Endpoint<Handler: DatagramHandler>: @unchecked Sendable {
    let handler: Handler
    let transport: DatagramTransport
    let address: SocketAddress
    private let server: LoopThread

    /// Binds, or connects when there is a peer.
    init(
        _ server: LoopThread,
        at local: SocketAddress? = .ipv4(0x7F00_0001, port: 0),
        connectedTo peer: SocketAddress? = nil,
        _ handler: Handler,
        _ configure: (inout DatagramOptions) -> Void = { _ in }
    ) throws {
        var options = DatagramOptions()
        configure(&options)
        let chosen = options
        self.server = server
        self.handler = handler
        (transport, address) = try server.run { loop in
            let transport: DatagramTransport
            if let peer {
                transport = try loop.connectDatagram(
                    to: peer,
                    from: local,
                    options: chosen,
                    handler: handler
                )
            } else {
                guard let local else { preconditionFailure("it is bound or connected") }
                transport = try loop.bindDatagram(to: local, options: chosen, handler: handler)
            }
            return (transport, try transport.localAddress())
        }
    }

    func close() throws {
        try server.run { [transport] _ in transport.close() }
    }

    /// Reads the handler's state on the loop.
    func read<Value>(_ body: @escaping (Handler) throws -> Value) throws -> Value {
        try server.run { [handler] _ in try body(handler) }
    }
}

extension Endpoint where Handler: TestDatagramHandler {
    /// Waits for so many datagrams more.
    func received(_ count: Int) throws -> [TestDatagramHandler.Received] {
        for position in 0..<count { try handler.came.wait("datagram \(position) of \(count)") }
        return try read { $0.received }
    }

    /// Closes and waits for `connectionLost`.
    func end() throws -> IOError? {
        try close()
        try handler.lost.wait("the end of an endpoint")
        #expect(handler.lossCount == 1 && handler.misplacedCalls == 0)
        return handler.loss
    }
}
