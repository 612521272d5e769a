import CUring
import Glibc
import Testing
import UringTesting

@testable import UringEngine

/// Listeners, watches, drains: what a loop does besides streams.
extension FaultScenario {
    static let loops = [
        FaultScenario("a listener that closes under connections") { stage in
            let listening = try stage.listen { EchoHandler() }
            let peers = try (0..<3).map { _ in try listening.connect() }
            for peer in peers { try stage.echo(peer) }
            try stage.server.run { _ in listening.listener.close() }
            for peer in peers { try stage.echo(peer, 500..<900) }
            try stage.end(peers)
        },
        FaultScenario("a listener that comes back") { stage in
            let first = try stage.listen { EchoHandler() }
            let closed = Gate()
            try stage.server.run { _ in first.listener.close { closed.open() } }
            try closed.wait("the listener's end")
            let second = try stage.listen(on: first.address) { EchoHandler() }
            let peer = try second.connect()
            try stage.echo(peer)
            try stage.end([peer])
        },
        FaultScenario("a limit of connections", options { $0.limits.connectionsMax = 1 }) {
            stage in
            let listening = try stage.listen { EchoHandler() }
            let peers = try (0..<3).map { _ in try listening.connect() }
            for peer in peers {
                try stage.echo(peer)
                try stage.end([peer])
                peer.close()
            }
        },
        FaultScenario("a drain") { stage in
            let listening = try stage.listen { EchoHandler() }
            let peers = try (0..<3).map { _ in try listening.connect() }
            for peer in peers { try stage.echo(peer) }
            try stage.server.run { $0.drain() }
            for peer in peers { _ = try peer.ending() }
        },
        FaultScenario("writes from another thread") { stage in
            let pattern = Pattern(seed: 2)
            let listening = try stage.listen { TestHandler() }
            let peer = try listening.connect()
            try stage.server.eventually("a connection") {
                $0.metrics.connections > 0 || $0.metrics.acceptBackoffs > 0
            }
            let handlers = stage.handlers
            for piece in 0..<10 {
                stage.server.loop.callSoonThreadsafe {
                    let bytes = pattern.bytes(at: piece * 500, count: 500)
                    handlers.all.first?.transport?.write(bytes)
                }
            }
            stage.server.loop.callSoonThreadsafe { handlers.all.first?.transport?.close() }
            if try stage.server.run({ _ in handlers.all.isEmpty }) { return peer.close() }
            try stage.expectWhole(peer, pattern, 5_000)
        },
        FaultScenario("a watch of a descriptor") { stage in
            let event = cu_event_descriptor()
            defer { close(event) }
            let isOver = Drop<Void>()
            let count = Counter()
            let watch = try stage.server.run { loop in
                loop.watch(Descriptor(rawValue: event)) {
                    var word: UInt64 = 0
                    _ = read(event, &word, 8)
                    count.add()
                }
            }
            for round in 1...3 {
                var word: UInt64 = 1
                _ = write(event, &word, 8)
                try stage.server.eventually("a call back") { _ in
                    count.value >= round || watch.operationTokens.isEmpty
                }
            }
            try stage.server.run { _ in watch.cancel { isOver.put(()) } }
            try isOver.take("the watch's end")
        },
        FaultScenario("an end with open connections") { stage in
            let listening = try stage.listen { EchoHandler() }
            let peers = try (0..<3).map { _ in try listening.connect() }
            for peer in peers { try stage.echo(peer) }
            try stage.server.run { loop in
                for handler in stage.handlers.all { handler.transport?.abort() }
                _ = loop
            }
            for peer in peers { _ = try peer.receiveToEnd() }
        },
        FaultScenario(
            "a full submission queue",
            options {
                $0.ringEntries = 4
                $0.completionEntries = 8
            }
        ) {
            stage in
            let listening = try stage.listen { EchoHandler() }
            let peers = try (0..<12).map { _ in try listening.connect() }
            for peer in peers { try peer.send(Pattern(), 0..<300) }
            for peer in peers { try peer.expect(Pattern(), 0..<300) }
            try stage.end(peers)
        },
        FaultScenario("one completion a tick", options { $0.limits.completionsPerTickMax = 1 }) {
            stage in
            let listening = try stage.listen { EchoHandler() }
            let peers = try (0..<3).map { _ in try listening.connect() }
            for peer in peers { try peer.send(Pattern(), 0..<3_000) }
            for peer in peers { try peer.expect(Pattern(), 0..<3_000) }
            try stage.end(peers)
        },
    ]
}
