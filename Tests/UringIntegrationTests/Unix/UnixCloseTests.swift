import Glibc
import Testing

@testable import UringEngine

extension Integration {
    @Suite("Closing Unix sockets") struct UnixCloseTests {
        private func serve(
            _ rung: Rung,
            _ configure: (inout ListenerOptions) -> Void = { _ in },
            makeHandler: @escaping () -> TestHandler,
            _ body: (LoopThread, Listening) throws -> Void
        ) throws {
            try withDirectory { directory in
                try withLoop(rung) { server in
                    let address = try directory.address()
                    let listening = try server.listen(
                        on: address,
                        configure,
                        makeHandler: makeHandler
                    )
                    try body(server, listening)
                }
            }
        }

        @Test(arguments: Rung.all)
        func writeThenCloseDeliversEverythingThenTheEnd(rung: Rung) throws {
            let pattern = Pattern(seed: 1)
            let total = 3_000_000
            let makeHandler = {
                TestHandler { transport in
                    transport.write(pattern.bytes(count: total))
                    transport.close()
                }
            }
            try serve(rung, makeHandler: makeHandler) { server, listening in
                let peer = try listening.connect()
                try peer.expect(pattern, 0..<total)
                #expect(try peer.ending() == .eof)
                try expectOneCleanLoss(of: try listening.accepted(), on: server)
            }
        }

        /// A close(2) with unread input would give the peer ECONNRESET in place of the end.
        @Test(arguments: Rung.all)
        func closeWithUnreadInputEndsAsAnyOther(rung: Rung) throws {
            let pattern = Pattern(seed: 2)
            let makeHandler = { PausingHandler() }
            try serve(rung, makeHandler: makeHandler) { server, listening in
                // Without an answer, the flush reads nothing on the way.
                for answerBytes in [0, 3, 100_000] {
                    let peer = try listening.connect()
                    let handler = try listening.accepted(PausingHandler.self)
                    try peer.send([1])
                    try handler.firstBytes.wait("the first byte")
                    try peer.send([UInt8](repeating: 2, count: 100_000))
                    try server.run { _ in
                        handler.transport?.write(pattern.bytes(count: answerBytes))
                        handler.transport?.close()
                    }
                    // A peer that reads earlier meets the shutdown and not the close.
                    try server.eventually("the socket is closed") { $0.openConnections == 0 }
                    try peer.expect(pattern, 0..<answerBytes)
                    #expect(try peer.ending() == .eof)
                    try expectOneCleanLoss(of: handler, on: server)
                }
            }
        }

        @Test(arguments: Rung.all)
        func closeUnderAFloodDeliversEverythingThenTheEnd(rung: Rung) throws {
            let pattern = Pattern(seed: 3)
            let total = 2_000_000
            let makeHandler = { TestHandler() }
            try serve(rung, makeHandler: makeHandler) { server, listening in
                let peer = try listening.connect()
                let handler = try listening.accepted()
                let flood = WorkThread { () -> Int32 in
                    do {
                        while true { try peer.send([UInt8](repeating: 9, count: 10_000)) }
                    } catch let error as PeerError {
                        return error.code
                    }
                }
                try server.eventually("the flood arrives") { _ in handler.receivedBytes > 0 }
                try server.run { _ in
                    handler.transport?.write(pattern.bytes(count: total))
                    handler.transport?.close()
                }
                try peer.expect(pattern, 0..<total)
                #expect(try peer.ending() == .eof)
                #expect(try flood.join() == EPIPE)
                try expectOneCleanLoss(of: handler, on: server)
            }
        }

        @Test(arguments: Rung.all)
        func answersAPeerThatEndedItsSide(rung: Rung) throws {
            let (question, answer) = (Pattern(seed: 4), Pattern(seed: 5))
            let total = bulk(500_000)
            let makeHandler = {
                let handler = CheckingHandler(question, expecting: total)
                handler.whenEnded = { transport in
                    transport.loop.callSoon {
                        transport.write(answer.bytes(count: total))
                        transport.close()
                    }
                    return true
                }
                return handler
            }
            try serve(rung, makeHandler: makeHandler) { server, listening in
                let peer = try listening.connect()
                try peer.send(question, 0..<total)
                peer.endOutput()
                try peer.expect(answer, 0..<total)
                #expect(try peer.ending() == .eof)
                let handler = try listening.accepted(CheckingHandler.self)
                try expectOneCleanLoss(of: handler, on: server)
                let (received, wrong) = try server.run { _ in
                    (handler.receivedBytes, handler.firstWrongByte)
                }
                #expect(received == total && wrong == nil)
            }
        }

        @Test(arguments: Rung.all)
        func receivesFromAPeerAfterEndingItsOwnSide(rung: Rung) throws {
            let (up, down) = (Pattern(seed: 6), Pattern(seed: 7))
            let total = bulk(500_000)
            let makeHandler = {
                CheckingHandler(up, expecting: total) { transport in
                    transport.write(down.bytes(count: total))
                    transport.writeEOF()
                }
            }
            try serve(rung, makeHandler: makeHandler) { server, listening in
                let peer = try listening.connect()
                try peer.expect(down, 0..<total)
                #expect(try peer.ending() == .eof)
                try peer.send(up, 0..<total)
                let handler = try listening.accepted(CheckingHandler.self)
                try handler.complete.wait("all bytes")
                #expect(try server.run { _ in handler.lossCount } == 0)
                peer.endOutput()
                try expectOneCleanLoss(of: handler, on: server)
                #expect(try server.run { _ in handler.firstWrongByte } == nil)
            }
        }

        /// A Unix socket has no reset.
        @Test(arguments: Rung.all)
        func abortEndsThePeersStream(rung: Rung) throws {
            let makeHandler = { TestHandler() }
            try serve(rung, makeHandler: makeHandler) { server, listening in
                let peer = try listening.connect()
                let handler = try listening.accepted()
                try server.run { _ in
                    handler.transport?.write([1, 2, 3])
                    handler.transport?.abort()
                }
                #expect(try peer.receiveToEnd().ending == .eof)
                try expectOneCleanLoss(of: handler, on: server)
            }
        }

        @Test(arguments: Rung.all)
        func abortWithASendInFlightEndsThePeersStream(rung: Rung) throws {
            let pattern = Pattern(seed: 8)
            let makeHandler = { TestHandler { $0.write(pattern.bytes(count: 30_000_000)) } }
            try serve(rung, makeHandler: makeHandler) { server, listening in
                let peer = try listening.connect()
                let handler = try listening.accepted()
                try peer.expect(pattern, 0..<100_000)
                try server.run { _ in handler.transport?.abort() }
                try expectOneCleanLoss(of: handler, on: server)
                let (byteCount, ending) = try peer.receiveToEnd()
                #expect(ending == .eof)
                #expect(byteCount < 29_000_000)
            }
        }

        @Test(arguments: Rung.all)
        func flushWithoutProgressIsGivenUp(rung: Rung) throws {
            let configure = { (options: inout ListenerOptions) in
                options.stream.flushTimeout = .milliseconds(100)
            }
            let makeHandler = {
                TestHandler { transport in
                    transport.write([UInt8](repeating: 7, count: 30_000_000))
                    transport.close()
                }
            }
            try serve(rung, configure, makeHandler: makeHandler) { server, listening in
                let peer = try listening.connect()
                let handler = try listening.accepted()
                try handler.lost.wait("connectionLost")
                let loss = try server.run { _ in handler.loss }
                #expect(loss?.reason == .deadlineExceeded)
                #expect(try peer.receiveToEnd().byteCount < 30_000_000)
            }
        }

        /// Each look at the progress cancels the send in flight, which must lose and double nothing.
        @Test(arguments: Rung.all)
        func looksAtTheProgressDisturbNoByte(rung: Rung) throws {
            let pattern = Pattern(seed: 9)
            let total = 4_000_000
            let makeHandler = {
                TestHandler { transport in
                    transport.write(pattern.bytes(count: total))
                    transport.close()
                }
            }
            try serve(rung, makeHandler: makeHandler) { server, listening in
                let peer = try listening.connect()
                let handler = try listening.accepted()
                for start in stride(from: 0, to: total, by: 40_000) {
                    try peer.expect(pattern, start..<start + 40_000)
                    try server.run { loop in
                        guard let transport = handler.transport else { return }
                        if let timer = transport.progressTimer { loop.cancelTimer(timer) }
                        transport.checkProgress()
                    }
                }
                #expect(try peer.ending() == .eof)
                try expectOneCleanLoss(of: handler, on: server)
            }
        }
    }
}
