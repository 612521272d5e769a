import Testing
import UringTesting

@testable import UringEngine

/// Datagrams there and back, sent again until they have come: what is lost on the way is no failure.
extension FaultScenario {
    static let datagrams = [
        FaultScenario("datagrams") { stage in
            try ping(stage.server, at: .ipv4(0x7F00_0001, port: 0))
        },
        FaultScenario("Unix datagrams", options { $0.bufferCount = 4 }) { stage in
            try ping(stage.server, at: try stage.directory.address("echo"))
        },
    ]

    private static func ping(_ server: LoopThread, at address: SocketAddress) throws {
        let echo = PingHandler(answers: true)
        let asking = PingHandler(answers: false)
        defer {
            // A loop that failed has ended both.
            _ = try? server.run { _ in
                echo.transport?.abort()
                asking.transport?.abort()
            }
        }
        try server.run { loop in
            let endpoint = try loop.bindDatagram(to: address, handler: echo)
            let local =
                address.unixPath == nil ? nil : try SocketAddress(abstractName: "uc-\(address)")
            try loop.connectDatagram(to: endpoint.localAddress(), from: local, handler: asking)
            asking.ask(loop)
        }
        try server.eventually("datagrams came back, an endpoint was lost, or it is given up") { _ in
            asking.isDone || asking.isGivenUp || echo.lossCount + asking.lossCount > 0
        }
        // A plan that lets every second receive fail may hit the same endpoint's each time.
        let count = try server.run { _ in asking.next }
        if count < PingHandler.count { throw EarlyEnd(wanted: PingHandler.count, got: count) }
    }
}

/// Sends numbered datagrams, each again and again until it has come back; or answers such.
private final class PingHandler: DatagramHandler, @unchecked Sendable {
    static let count = 12
    private let answers: Bool
    private(set) var transport: DatagramTransport?
    private(set) var lossCount = 0
    private(set) var next = 0
    private var asked = 0
    var isDone: Bool { next == Self.count }
    var isGivenUp: Bool { asked == 400 }

    init(answers: Bool) {
        self.answers = answers
    }

    func connectionMade(_ transport: DatagramTransport) {
        self.transport = transport
    }

    func datagramReceived(_ datagram: consuming Datagram, on transport: DatagramTransport) {
        if answers {
            let sender = datagram.sender
            // What is refused is asked again.
            try? transport.send(datagram.takeBytes(), to: sender)
        } else if datagram.copyToArray() == Self.question(next), !isDone {
            next += 1
        }
    }

    func connectionLost(_ transport: DatagramTransport, error: IOError?) {
        lossCount += 1
    }

    func ask(_ loop: EventLoop) {
        guard !isDone, !isGivenUp, lossCount == 0, let transport, !transport.isClosing
        else { return }
        asked += 1
        try? transport.send(Self.question(next))
        loop.callLater(.milliseconds(1)) { [self] in ask(loop) }
    }

    private static func question(_ number: Int) -> [UInt8] {
        Pattern(seed: number).bytes(count: 1 + number * 50)
    }
}
