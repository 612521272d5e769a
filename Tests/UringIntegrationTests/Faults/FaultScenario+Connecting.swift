import Testing
import UringTesting

@testable import UringEngine

/// Connections that the loop makes, over TCP and Unix sockets.
extension FaultScenario {
    static let connecting = [
        FaultScenario("a connect") { stage in
            let listening = try stage.listen { EchoHandler() }
            try exchange(stage, with: [listening.address])
        },
        FaultScenario("three connects") { stage in
            let listening = try stage.listen { EchoHandler() }
            for _ in 0..<3 { try exchange(stage, with: [listening.address]) }
        },
        FaultScenario("a connect that is refused") { stage in
            let silent = stage.server.keep(try RawListener(backlog: nil))
            expectRefusal { _ = try stage.connect(to: [silent.address], TestHandler()) }
        },
        FaultScenario("a connect to the second address") { stage in
            let silent = stage.server.keep(try RawListener(backlog: nil))
            let listening = try stage.listen { EchoHandler() }
            try exchange(stage, with: [silent.address, listening.address])
        },
        FaultScenario("a connect that takes too long") { stage in
            let full = try fullListener(stage)
            expectRefusal {
                let handler = TestHandler()
                _ = try stage.connect(to: [full], handler, timeout: .milliseconds(5))
            }
        },
        FaultScenario("a connect that is taken back") { stage in
            let full = try fullListener(stage)
            let result = Drop<LoopThread.ConnectResult>()
            let isTakenBack = Gate()
            try stage.server.run { loop in
                let handle = loop.connect(to: [full], makeHandler: { TestHandler() }) {
                    result.put($0)
                }
                loop.callLater(.milliseconds(2)) {
                    handle.cancel()
                    isTakenBack.open()
                }
            }
            try isTakenBack.wait("the cancel")
            expectRefusal { _ = try result.take("the connect's end").get() }
        },
        FaultScenario("a connect whose handler throws") { stage in
            struct NotThis: Error {}
            let listening = try stage.listen { EchoHandler() }
            let result = Drop<LoopThread.ConnectResult>()
            try stage.server.run { loop in
                loop.connect(to: [listening.address], makeHandler: { throw NotThis() }) {
                    result.put($0)
                }
            }
            expectRefusal { _ = try result.take("the connect's end").get() }
        },
    ]

    /// A listener whose queue takes nobody any more.
    private static func fullListener(_ stage: FaultStage) throws -> SocketAddress {
        let full = stage.server.keep(try RawListener(backlog: 0))
        for _ in 0..<3 {
            let peer = stage.server.keep(try Peer(towards: full.address))
            _ = try peer.beginConnect(to: full.address)
        }
        return full.address
    }

    /// Either end is one: the error of the story or that of a fault.
    private static func expectRefusal(_ connect: () throws -> Void) {
        #expect(throws: (any Error).self) { try connect() }
    }

    /// Connects, and sends a pattern there and back.
    static func exchange(_ stage: FaultStage, with addresses: [SocketAddress]) throws {
        let pattern = Pattern(seed: 9)
        let handler = ReturningHandler(pattern, expecting: 3_000)
        _ = try stage.connect(to: addresses, handler)
        try handler.lost.wait("the connection's end")
        guard try stage.server.run({ _ in handler.loss }) == nil else {
            throw EarlyEnd(wanted: 3_000, got: 0)
        }
        let received = try stage.server.run { _ in handler.receivedBytes }
        guard received < 3_000 else { return }
        // A connection that was accepted for nothing ends without a lie, and a Unix socket knows no
        // reset.
        let isServed = stage.handlers.all.count { $0 is EchoHandler } == stage.connectCount
        let isUnix = addresses.contains { $0.port == nil }
        if isServed, !isUnix { throw FalseEnd(got: received, wanted: 3_000) }
        throw EarlyEnd(wanted: 3_000, got: received)
    }
}

/// Sends a pattern, and closes when all of it came back.
private final class ReturningHandler: CheckingHandler, @unchecked Sendable {
    private let total: Int

    init(_ pattern: Pattern, expecting total: Int) {
        self.total = total
        super.init(pattern, expecting: total) { $0.write(pattern.bytes(count: total)) }
    }

    override func take(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) {
        super.take(bytes, on: transport)
        if receivedBytes >= total { transport.close() }
    }
}
