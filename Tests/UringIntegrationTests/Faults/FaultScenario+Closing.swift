import Testing
import UringTesting

@testable import UringEngine

/// Streams that end, one way or another.
extension FaultScenario {
    static let closing = [
        FaultScenario("close at once") { stage in
            let listening = try stage.listen { TestHandler { $0.close() } }
            let peer = try listening.connect()
            try peer.send([1, 2, 3])
            _ = try peer.receiveToEnd()
        },
        FaultScenario("write and close") { stage in
            let pattern = Pattern(seed: 1)
            let listening = try stage.listen {
                TestHandler { transport in
                    transport.write(pattern.bytes(count: 20_000))
                    transport.close()
                }
            }
            for _ in 0..<2 { try stage.expectWhole(try listening.connect(), pattern, 20_000) }
        },
        FaultScenario("close while the peer sends") { stage in
            let pattern = Pattern(seed: 2)
            let listening = try stage.listen {
                ActingHandler { transport in
                    transport.write(pattern.bytes(count: 20_000))
                    transport.close()
                }
            }
            let peer = try listening.connect()
            for _ in 0..<5 { try peer.send([UInt8](repeating: 2, count: 8_000)) }
            try stage.expectWhole(peer, pattern, 20_000)
            try stage.server.eventually("what still comes is dropped") { loop in
                loop.operations.inFlightCount == 2 || loop.openConnections == 0
            }
            try peer.send([3])
            try stage.end([peer])
            try stage.server.eventually("the stream is closed") { $0.openConnections == 0 }
        },
        FaultScenario("close with unread input") { stage in
            let pattern = Pattern(seed: 3)
            let listening = try stage.listen {
                ActingHandler { transport in
                    transport.pauseReading()
                    transport.loop.callLater(.milliseconds(2)) {
                        transport.write(pattern.bytes(count: 20_000))
                        transport.close()
                    }
                }
            }
            let peer = try listening.connect()
            for _ in 0..<5 { try peer.send([UInt8](repeating: 2, count: 8_000)) }
            try stage.expectWhole(peer, pattern, 20_000)
        },
        FaultScenario("abort") { stage in
            let listening = try stage.listen {
                ActingHandler { transport in
                    transport.write([1, 2, 3])
                    transport.abort()
                }
            }
            let peer = try listening.connect()
            try peer.send([1])
            _ = try peer.receiveToEnd()
        },
        FaultScenario("abort at once") { stage in
            let listening = try stage.listen { TestHandler { $0.abort() } }
            for _ in 0..<3 { _ = try listening.connect().receiveToEnd() }
        },
        FaultScenario("abort in the middle of a send") { stage in
            let listening = try stage.listen {
                TestHandler { transport in
                    transport.write(Pattern().bytes(count: 8_000_000))
                    transport.loop.callLater(.milliseconds(2)) { transport.abort() }
                }
            }
            _ = try listening.connect(Peer.Buffers(receive: 8_192)).receiveToEnd()
        },
        FaultScenario("a reset by the peer") { stage in
            let listening = try stage.listen { EchoHandler() }
            let peer = try listening.connect()
            try peer.send(Pattern(), 0..<20_000)
            _ = try peer.receive(100)
            peer.reset()
            let other = try listening.connect()
            try stage.echo(other)
            try stage.end([other])
        },
        FaultScenario("a handler that throws") { stage in
            struct NotThis: Error {}
            let listening = try stage.listen { ActingHandler { _ in throw NotThis() } }
            let peer = try listening.connect()
            try peer.send([1])
            _ = try peer.receiveToEnd()
        },
        FaultScenario("a deadline") { stage in
            let listening = try stage.listen {
                TestHandler { transport in
                    let soon = Deadline.after(.milliseconds(3), from: transport.loop.now)
                    transport.setDeadline(soon)
                }
            }
            _ = try listening.connect().receiveToEnd()
        },
        FaultScenario("a flush that stands still") { stage in
            let listening = try stage.listen { options in
                options.stream.flushTimeout = .milliseconds(20)
            } makeHandler: {
                TestHandler { transport in
                    transport.write([UInt8](repeating: 7, count: 8_000_000))
                    transport.close()
                }
            }
            let peer = try listening.connect(Peer.Buffers(receive: 4_096))
            try stage.server.eventually("the flush is given up") { loop in
                loop.openConnections == 0 && loop.metrics.connections > 0
                    || stage.handlers.all.isEmpty && loop.metrics.acceptBackoffs > 0
            }
            _ = try peer.receiveToEnd()
        },
        FaultScenario("a linger that ends by its limit") { stage in
            let listening = try stage.listen { options in
                options.stream.lingerTimeout = .milliseconds(5)
            } makeHandler: {
                TestHandler { transport in
                    transport.write([1, 2, 3])
                    transport.close()
                }
            }
            let peer = try listening.connect()
            _ = try peer.receiveToEnd()
            try stage.server.eventually("the linger is over") { $0.openConnections == 0 }
        },
    ]
}
