import Testing
import UringTesting

@testable import UringEngine

/// Unix sockets, with their files.
extension FaultScenario {
    static let unix = [
        FaultScenario("Unix echo") { stage in
            let listening = try stage.listen(on: try stage.directory.address()) { EchoHandler() }
            let peers = try (0..<2).map { _ in try listening.connect() }
            for peer in peers { try stage.echo(peer) }
            try stage.end(peers)
        },
        FaultScenario("a file that was left behind") { stage in
            let address = try stage.directory.address()
            RawListenerFile.leave(at: address)
            let listening = try stage.listen(on: address) { options in
                options.unixPermissions = 0o666
            } makeHandler: {
                EchoHandler()
            }
            let peer = try listening.connect()
            try stage.echo(peer)
            try stage.end([peer])
        },
        FaultScenario("a file of somebody else") { stage in
            let address = try stage.directory.address()
            let other = stage.server.keep(try RawListener(backlog: 1, on: address))
            #expect(throws: (any Error).self) {
                _ = try stage.listen(on: address) { EchoHandler() }
            }
            _ = try Peer(to: other.address)
        },
        FaultScenario("a Unix listener that moves") { stage in
            let address = try stage.directory.address()
            for _ in 0..<3 {
                let listening = try stage.listen(on: address) { EchoHandler() }
                let closed = Gate()
                try stage.server.run { _ in listening.listener.close { closed.open() } }
                try closed.wait("the listener's end")
            }
        },
        FaultScenario("Unix connects") { stage in
            let listening = try stage.listen(on: try stage.directory.address()) { EchoHandler() }
            for _ in 0..<2 { try exchange(stage, with: [listening.address]) }
        },
        FaultScenario("a Unix connect to a full queue") { stage in
            let address = try stage.directory.address()
            let full = stage.server.keep(try RawListener(backlog: 0, on: address))
            let first = stage.server.keep(try Peer(to: full.address))
            #expect(throws: (any Error).self) {
                let handler = TestHandler()
                _ = try stage.connect(to: [address], handler, timeout: .milliseconds(5))
            }
            first.close()
        },
        FaultScenario("a Unix connect that is refused") { stage in
            let address = try stage.directory.address()
            #expect(throws: (any Error).self) {
                _ = try stage.connect(to: [address], TestHandler())
            }
        },
        FaultScenario("a Unix close with unread input") { stage in
            let pattern = Pattern(seed: 1)
            let listening = try stage.listen(on: try stage.directory.address()) {
                ActingHandler { transport in
                    transport.write(pattern.bytes(count: 20_000))
                    transport.close()
                }
            }
            let peer = try listening.connect()
            try peer.send([UInt8](repeating: 2, count: 30_000))
            // A Unix socket knows no reset, so an early end claims nothing.
            try peer.expect(pattern, 0..<20_000)
        },
    ]
}

/// What a killed process leaves behind.
private enum RawListenerFile {
    static func leave(at address: SocketAddress) {
        do {
            try RawListener(backlog: 1, on: address).close()
        } catch {
            Issue.record("a socket can be bound: \(error)")
        }
    }
}
