import Testing

@testable import UringEngine

extension Integration {
    @Suite("Closing") struct CloseTests {
        @Test(arguments: Rung.withZeroCopy)
        func writeThenCloseDeliversEverythingThenFIN(rung: Rung) throws {
            try withLoop(rung) { server in
                let pattern = Pattern(seed: 1)
                let total = 3_000_000
                let listening = try server.listen {
                    TestHandler { transport in
                        transport.write(pattern.bytes(count: total))
                        transport.close()
                        #expect(!transport.write([1]), "a closing stream takes no more")
                    }
                }
                let peer = try listening.connect()
                try peer.expect(pattern, 0..<total)
                #expect(try peer.ending() == .eof)
                try expectOneCleanLoss(of: try listening.accepted(), on: server)
            }
        }

        /// A close(2) with unread input would send RST and destroy what the peer has not read yet.
        @Test(arguments: Rung.withZeroCopy)
        func closeWithUnreadInputLosesNothing(rung: Rung) throws {
            try withLoop(rung) { server in
                let pattern = Pattern(seed: 2)
                let total = 1_000_000
                let listening = try server.listen { PausingHandler() }
                let peer = try listening.connect()
                let handler = try listening.accepted(PausingHandler.self)
                try peer.send([1])
                try handler.firstBytes.wait("the first byte")
                try peer.send([UInt8](repeating: 2, count: 50_000))
                try server.run { _ in
                    handler.transport?.write(pattern.bytes(count: total))
                    handler.transport?.close()
                }
                try peer.send([UInt8](repeating: 3, count: 50_000))
                try peer.expect(pattern, 0..<total)
                #expect(try peer.ending() == .eof)
                #expect(try server.run { _ in handler.receivedBytes } == 1)
                try expectOneCleanLoss(of: handler, on: server)
            }
        }

        /// The linger limits are far too small for this peer, and must not count before it has
        /// everything.
        @Test(arguments: Rung.all)
        func closeToASlowReaderDeliversEverything(rung: Rung) throws {
            try withLoop(rung) { server in
                let pattern = Pattern(seed: 3)
                let total = 4 << 20
                let listening = try server.listen { options in
                    options.stream.lingerTimeout = .milliseconds(1)
                    options.stream.lingerBytesMax = 1
                } makeHandler: {
                    TestHandler { transport in
                        try transport.setOption(.sendBufferBytes(4 << 20))
                        transport.write(pattern.bytes(count: total))
                        transport.close()
                    }
                }
                let peer = try listening.connect(Peer.Buffers(receive: 4_096))
                let handler = try listening.accepted()
                // It writes all the while, and reads small pieces.
                for piece in 0..<total / 8_192 {
                    try peer.expect(
                        pattern,
                        piece * 8_192..<(piece + 1) * 8_192,
                        pieceBytes: 2_048
                    )
                    if piece < 100 { try peer.send([UInt8](repeating: 9, count: 100)) }
                }
                #expect(try peer.ending() == .eof)
                try expectOneCleanLoss(of: handler, on: server)
            }
        }

        @Test(arguments: Rung.withZeroCopy)
        func closeWithAReceiveArmedGivesThePeerEOF(rung: Rung) throws {
            try withLoop(rung) { server in
                let listening = try server.listen { TestHandler() }
                let peer = try listening.connect()
                let handler = try listening.accepted()
                // A round trip: the receive is armed in the kernel after it.
                try server.eventually("the receive is armed") { $0.operations.inFlightCount == 2 }
                try server.run { _ in handler.transport?.close() }
                #expect(try peer.ending() == .eof)
                try expectOneCleanLoss(of: handler, on: server)
                // The peer may still send into the lingering stream.
                try peer.send([1, 2, 3])
            }
        }

        @Test(arguments: Rung.withZeroCopy)
        func abortGivesThePeerAReset(rung: Rung) throws {
            try withLoop(rung) { server in
                let listening = try server.listen { TestHandler() }
                let peer = try listening.connect()
                let handler = try listening.accepted()
                try server.run { _ in
                    handler.transport?.write([1, 2, 3])
                    handler.transport?.abort()
                }
                #expect(try peer.receiveToEnd().ending == .reset)
                try expectOneCleanLoss(of: handler, on: server)
            }
        }

        @Test(arguments: Rung.withZeroCopy)
        func flushWithoutProgressEndsInAReset(rung: Rung) throws {
            try withLoop(rung) { server in
                let listening = try server.listen { options in
                    options.stream.flushTimeout = .milliseconds(100)
                } makeHandler: {
                    TestHandler { transport in
                        transport.write([UInt8](repeating: 7, count: 30_000_000))
                        transport.close()
                    }
                }
                let peer = try listening.connect()
                let handler = try listening.accepted()
                try handler.lost.wait("connectionLost")
                let loss = try server.run { _ in handler.loss }
                #expect(loss?.reason == .deadlineExceeded)
                let (byteCount, ending) = try peer.receiveToEnd()
                #expect(ending == .reset, "never a FIN that claims completeness")
                #expect(byteCount < 30_000_000)
            }
        }

        /// All was handed to the kernel, and the peer takes none of it: the deadline holds after
        /// FIN, too.
        @Test(arguments: Rung.all)
        func lingeringWithoutProgressEndsInAReset(rung: Rung) throws {
            try withLoop(rung) { server in
                let listening = try server.listen { options in
                    options.stream.flushTimeout = .milliseconds(100)
                } makeHandler: {
                    TestHandler { transport in
                        try transport.setOption(.sendBufferBytes(4 << 20))
                        transport.write([UInt8](repeating: 7, count: 1_000_000))
                        transport.close()
                    }
                }
                let peer = try listening.connect(Peer.Buffers(receive: 4_096))
                let handler = try listening.accepted()
                try expectOneCleanLoss(of: handler, on: server)
                try server.eventually("the stream is given up") { $0.descriptors.count == 1 }
                #expect(try peer.receiveToEnd().ending == .reset)
            }
        }
    }
}

/// `connectionLost` came once, without an error, and last.
func expectOneCleanLoss(
    of handler: TestHandler,
    on server: LoopThread,
    _ location: SourceLocation = #_sourceLocation
) throws {
    try handler.lost.wait("connectionLost")
    try server.run { _ in }
    let (loss, count, misplaced) = try server.run { _ in
        (handler.loss, handler.lossCount, handler.misplacedCalls)
    }
    #expect(loss == nil, sourceLocation: location)
    #expect(count == 1, sourceLocation: location)
    #expect(misplaced == 0, sourceLocation: location)
}
