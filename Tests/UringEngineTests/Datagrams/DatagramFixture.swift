import Testing
import UringTesting

@testable import UringEngine

/// Writes down what happens on an endpoint, and does what a test hangs into it.
final class RecordingDatagramHandler: DatagramHandler {
    struct Failure: Error {}

    /// `made`, `data 3`, `truncated 3`, `error: why`, `pause`, `resume`, `drain`, `lost` or `lost: why`.
    var log: [String] = []
    var received: [[UInt8]] = []
    var senders: [SocketAddress] = []
    var onData: (DatagramTransport) throws -> Void = { _ in }
    var onPause: (DatagramTransport) throws -> Void = { _ in }
    var keeps = false
    var holds = false
    var kept: [OwnedDatagram] = []

    /// A box for a datagram that is kept.
    final class OwnedDatagram {
        let datagram: Datagram

        init(_ datagram: consuming Datagram) {
            self.datagram = datagram
        }
    }

    func connectionMade(_ transport: DatagramTransport) {
        note("made")
    }

    func datagramReceived(_ datagram: consuming Datagram, on transport: DatagramTransport) throws {
        note("\(datagram.isTruncated ? "truncated" : "data") \(datagram.byteCount)")
        received.append(datagram.copyToArray())
        senders.append(datagram.sender)
        if holds { return transport.hold(datagram) }
        if keeps { kept.append(OwnedDatagram(datagram)) }
        try onData(transport)
    }

    func errorReceived(_ error: IOError, on transport: DatagramTransport) {
        note("error: \(error.reason)")
    }

    func pauseWriting(on transport: DatagramTransport) throws {
        note("pause")
        try onPause(transport)
    }

    func resumeWriting(on transport: DatagramTransport) {
        note("resume")
    }

    func connectionLost(_ transport: DatagramTransport, error: IOError?) {
        note(error.map { "lost: \($0.reason)" } ?? "lost")
    }

    func drainStarted(on transport: DatagramTransport) {
        note("drain")
        transport.close()
    }

    private func note(_ event: String) {
        #expect(log.first == "made" || event == "made", "connectionMade comes first")
        #expect(!log.contains { $0.hasPrefix("lost") }, "connectionLost comes last, and once")
        log.append(event)
    }
}

/// An endpoint on a scripted kernel.
final class DatagramFixture {
    let fixture: LoopFixture
    let handler = RecordingDatagramHandler()
    let transport: DatagramTransport
    let descriptor: Descriptor
    static let local = SocketAddress.ipv4(0x7F00_0001, port: 7)
    static let peer = SocketAddress.ipv4(0x0A00_0001, port: 9)

    var driver: ScriptedDriver { fixture.driver }
    var loop: EventLoop { fixture.loop }

    init(
        _ driver: ScriptedDriver = ScriptedDriver(),
        connected: Bool = false,
        _ change: (inout DatagramOptions) -> Void = { _ in },
        loop configure: (inout LoopOptions) -> Void = { _ in }
    ) throws {
        fixture = try LoopFixture(driver, configure: configure)
        var options = DatagramOptions()
        change(&options)
        transport =
            connected
            ? try fixture.loop.connectDatagram(
                to: Self.peer,
                options: options,
                handler: handler
            )
            : try fixture.loop.bindDatagram(to: Self.local, options: options, handler: handler)
        descriptor = try #require(driver.openDescriptors.last)
        try fixture.settle()
    }

    func deliver(_ bytes: [UInt8], segmentBytes: Int? = nil, isTerminal: Bool? = nil) {
        driver.deliverDatagram(
            bytes,
            from: Self.peer,
            on: descriptor,
            segmentBytes: segmentBytes,
            isTerminal: isTerminal
        )
    }

    /// Tells that there is room again.
    func tellRoom() throws {
        let poll = try #require(driver.inFlight(of: .poll, on: descriptor).first)
        driver.complete(poll.token, result: Int32(PollEvents.writable.rawValue))
        try fixture.settle()
    }

    func expectEnd(_ location: SourceLocation = #_sourceLocation) throws {
        if !transport.isClosing { transport.close() }
        try fixture.settle()
        handler.kept = []
        #expect(handler.log.last?.hasPrefix("lost") == true, sourceLocation: location)
        #expect(driver.sentDatagrams.allSatisfy { $0.descriptor == descriptor })
        try fixture.expectBaseline(location)
    }
}

/// The kernels that a behaviour has to stand on.
let messageKernels: [Bool] = [true, false]

extension DatagramFixture {
    /// A kernel with or without multishot receives of messages.
    static func kernel(isMultishot: Bool) -> ScriptedDriver {
        let driver = ScriptedDriver()
        driver.capabilities.multishotReceiveMessage = isMultishot
        return driver
    }
}
