import Glibc
import Testing

@testable import UringEngine

extension Integration {
    @Suite("Connecting") struct ConnectTests {
        @Test(arguments: Rung.withLinkedTimeouts)
        func connectsAndExchanges(rung: Rung) throws {
            try withLoop(rung) { server in
                let listening = try server.listen { EchoHandler() }
                let pattern = Pattern(seed: 1)
                let total = bulk(1_000_000)
                let handler = CheckingHandler(pattern, expecting: total) { transport in
                    transport.write(pattern.bytes(count: total))
                }
                let transport = try server.connect(to: [listening.address], handler).get()
                try handler.complete.wait("everything echoed")
                #expect(try server.run { _ in try transport.peerAddress() } == listening.address)
                try server.run { _ in transport.close() }
                try expectOneCleanLoss(of: handler, on: server)
                #expect(try server.run { _ in handler.firstWrongByte } == nil)
            }
        }

        @Test(arguments: Rung.withLinkedTimeouts)
        func refusedConnectIsAnErrorThatNamesTheAddress(rung: Rung) throws {
            try withLoop(rung) { server in
                let silent = server.keep(try RawListener(backlog: nil))
                let error = try failure(of: [silent.address], on: server)
                #expect(error.errno == .connectionRefused)
                #expect(error.description.contains("\(silent.address)"), "\(error)")
            }
        }

        /// No packet leaves: TCP to a broadcast address has no route by definition.
        @Test(arguments: Rung.withLinkedTimeouts)
        func unreachableAddressIsAnError(rung: Rung) throws {
            try withLoop(rung) { server in
                let error = try failure(of: [.ipv4(0x7FFF_FFFF, port: 9)], on: server)
                #expect(error.errno?.rawValue == ENETUNREACH, "\(error)")
            }
        }

        @Test(arguments: Rung.withLinkedTimeouts)
        func connectToAFullQueueTimesOut(rung: Rung) throws {
            try withLoop(rung) { server in
                let full = server.keep(try RawListener(backlog: 0))
                // One connection fits a queue of length zero; the next SYNs are dropped.
                for _ in 0..<3 {
                    let peer = server.keep(try Peer(towards: full.address))
                    _ = try peer.beginConnect(to: full.address)
                }
                let error = try failure(of: [full.address], on: server, timeout: .milliseconds(50))
                #expect(error.reason == .deadlineExceeded, "\(error)")
            }
        }

        /// It counts from the call, and ends with the attempt: nothing is left of it.
        @Test(arguments: Rung.withLinkedTimeouts)
        func connectThatIsTakenBackIsReaped(rung: Rung) throws {
            try withLoop(rung) { server in
                let full = server.keep(try RawListener(backlog: 0))
                for _ in 0..<3 {
                    let peer = server.keep(try Peer(towards: full.address))
                    _ = try peer.beginConnect(to: full.address)
                }
                let result = Drop<LoopThread.ConnectResult>()
                let box = try server.run { loop in
                    loop.connect(
                        to: [full.address],
                        timeout: .seconds(30),
                        makeHandler: { TestHandler() }
                    ) { result.put($0) }
                }
                try server.run { _ in }
                try server.run { _ in box.cancel() }
                guard case .failure(let error) = try result.take("the connect's end") else {
                    Issue.record("nobody accepts here")
                    return
                }
                #expect((error as? IOError)?.reason == .cancelled, "\(error)")
            }
        }

        @Test(arguments: Rung.withLinkedTimeouts)
        func secondAddressAnswersWhereTheFirstRefuses(rung: Rung) throws {
            try withLoop(rung) { server in
                let silent = server.keep(try RawListener(backlog: nil))
                let listening = try server.listen { EchoHandler() }
                let pattern = Pattern(seed: 2)
                let handler = CheckingHandler(pattern, expecting: 100) { transport in
                    transport.write(pattern.bytes(count: 100))
                }
                let addresses = [.ipv4(0x7FFF_FFFF, port: 9), silent.address, listening.address]
                let transport = try server.connect(to: addresses, handler).get()
                try handler.complete.wait("everything echoed")
                try server.run { _ in transport.close() }
            }
        }

        /// The first neither answers nor refuses: the second is tried beside it, and the first is closed.
        @Test(arguments: Rung.withLinkedTimeouts)
        func aSilentAddressIsOvertaken(rung: Rung) throws {
            try withLoop(rung) { server in
                let full = server.keep(try RawListener(backlog: 0))
                for _ in 0..<3 {
                    let peer = server.keep(try Peer(towards: full.address))
                    _ = try peer.beginConnect(to: full.address)
                }
                let listening = try server.listen { EchoHandler() }
                let pattern = Pattern(seed: 4)
                let handler = CheckingHandler(pattern, expecting: 100) { transport in
                    transport.write(pattern.bytes(count: 100))
                }
                let addresses = [full.address, listening.address]
                let transport = try server.connect(to: addresses, handler).get()
                #expect(try server.run { _ in try transport.peerAddress() } == listening.address)
                try handler.complete.wait("everything echoed")
                try server.run { _ in transport.close() }
                try expectOneCleanLoss(of: handler, on: server)
            }
        }

        @Test func emptyListOfAddressesIsAnError() throws {
            try withLoop { server in
                let error = try failure(of: [], on: server)
                #expect(error.reason == .invalidArgument)
            }
        }

        @Test(arguments: Rung.withLinkedTimeouts)
        func manyConnectsAtOnceAllSucceed(rung: Rung) throws {
            DescriptorLimit.raise()
            try withLoop(rung) { server in
                let listening = try server.listen { EchoHandler() }
                let pattern = Pattern(seed: 3)
                let handlers = (0..<300).map { _ in
                    CheckingHandler(pattern, expecting: 500) { $0.write(pattern.bytes(count: 500)) }
                }
                let results = try handlers.map { handler in
                    try server.beginConnect(to: [listening.address], handler)
                }
                for result in results { _ = try result.take("a connect").get() }
                for handler in handlers { try handler.complete.wait("everything echoed") }
                try server.run { _ in
                    for handler in handlers { handler.transport?.close() }
                }
                for handler in handlers { try handler.lost.wait("connectionLost") }
            }
        }

        @Test(arguments: Rung.withLinkedTimeouts)
        func shutDownEndsAConnectUnderWay(rung: Rung) throws {
            try withLoop(rung) { server in
                let full = server.keep(try RawListener(backlog: 0))
                for _ in 0..<3 {
                    let peer = server.keep(try Peer(towards: full.address))
                    _ = try peer.beginConnect(to: full.address)
                }
                let second = try LoopThread(rung) { _ in }
                let result = try second.beginConnect(to: [full.address], TestHandler())
                try second.run { _ in }
                #expect(try second.stop() == 0)
                guard case .failure(let error) = try result.take("the connect's end") else {
                    Issue.record("nobody accepts here")
                    return
                }
                #expect((error as? IOError)?.reason == .cancelled, "\(error)")
            }
        }

        private func failure(
            of addresses: [SocketAddress],
            on server: LoopThread,
            timeout: Duration = .seconds(30)
        ) throws -> IOError {
            let handler = TestHandler { _ in Issue.record("a failed connect makes no connection") }
            switch try server.connect(to: addresses, handler, timeout: timeout) {
            case .success: throw UnexpectedConnection()
            case .failure(let error): return try #require(error as? IOError)
            }
        }
    }
}

private struct UnexpectedConnection: Error {}

extension LoopThread {
    /// What `connect` of the engine ends with.
    typealias ConnectResult = Result<StreamTransport, any Error>

    func beginConnect(
        to addresses: [SocketAddress],
        _ handler: TestHandler,
        timeout: Duration = .seconds(30)
    ) throws -> Drop<ConnectResult> {
        let result = Drop<ConnectResult>()
        try run { loop in
            loop.connect(to: addresses, timeout: timeout, makeHandler: { handler }) {
                result.put($0)
            }
        }
        return result
    }

    func connect(
        to addresses: [SocketAddress],
        _ handler: TestHandler,
        timeout: Duration = .seconds(30)
    ) throws -> ConnectResult {
        try beginConnect(to: addresses, handler, timeout: timeout).take("the connect's end")
    }
}
