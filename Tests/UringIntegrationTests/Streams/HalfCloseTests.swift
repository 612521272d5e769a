import Testing

@testable import UringEngine

extension Integration {
    @Suite("Half-closing") struct HalfCloseTests {
        @Test(arguments: Rung.withZeroCopy)
        func answersAPeerThatEndedItsSide(rung: Rung) throws {
            try withLoop(rung) { server in
                let (question, answer) = (Pattern(seed: 1), Pattern(seed: 2))
                let total = bulk(500_000)
                let listening = try server.listen {
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
                let peer = try listening.connect()
                try peer.send(question, 0..<total)
                peer.endOutput()
                try peer.expect(answer, 0..<total)
                #expect(try peer.ending() == .eof)
                let handler = try listening.accepted(CheckingHandler.self)
                try expectOneCleanLoss(of: handler, on: server)
                let (received, wrong, ends) = try server.run { _ in
                    (handler.receivedBytes, handler.firstWrongByte, handler.eofCount)
                }
                #expect(received == total && wrong == nil && ends == 1)
            }
        }

        @Test(arguments: Rung.withZeroCopy)
        func receivesFromAPeerAfterEndingItsOwnSide(rung: Rung) throws {
            try withLoop(rung) { server in
                let (up, down) = (Pattern(seed: 3), Pattern(seed: 4))
                let total = bulk(500_000)
                let listening = try server.listen {
                    CheckingHandler(up, expecting: total) { transport in
                        transport.write(down.bytes(count: total))
                        transport.writeEOF()
                        #expect(!transport.write([1]), "nothing follows the end")
                    }
                }
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

        @Test(arguments: Rung.withZeroCopy)
        func closesByItselfWhenThePeerEnds(rung: Rung) throws {
            try withLoop(rung) { server in
                let listening = try server.listen { EchoHandler() }
                let peer = try listening.connect()
                let pattern = Pattern(seed: 5)
                let total = bulk(400_000)
                let sender = WorkThread {
                    try peer.send(pattern, 0..<total)
                    peer.endOutput()
                }
                try peer.expect(pattern, 0..<total)
                #expect(try peer.ending() == .eof)
                try sender.join()
                try expectOneCleanLoss(of: try listening.accepted(), on: server)
            }
        }
    }
}
