import Testing

@testable import UringEngine

extension Integration {
    @Suite("Sending") struct SendTests {
        @Test(arguments: Rung.all)
        func sendsMoreOftenThanThePoolHasBuffers(rung: Rung) throws {
            try echo(messages: 600, of: 100, rung) { options in
                options.bufferBytes = 4_096
                options.bufferCount = 16
            }
        }

        @Test(arguments: Rung.withZeroCopy)
        func echoesOnAPoolOfOneBuffer(rung: Rung) throws {
            try echo(messages: 200, of: 150, rung) { options in
                options.bufferBytes = 64
                options.bufferCount = 1
            }
        }

        private func echo(
            messages: Int,
            of byteCount: Int,
            _ rung: Rung,
            _ configure: (inout LoopOptions) -> Void
        ) throws {
            try withLoop(rung, configure) { server in
                let listening = try server.listen { EchoHandler() }
                let peer = try listening.connect()
                let pattern = Pattern()
                for message in 0..<messages {
                    let range = message * byteCount..<(message + 1) * byteCount
                    try peer.send(pattern, range)
                    try peer.expect(pattern, range)
                }
                // The same once more, all at once.
                let range = 0..<messages * byteCount
                let sender = WorkThread { try peer.send(pattern, range, pieceBytes: byteCount) }
                try peer.expect(pattern, range)
                try sender.join()
            }
        }

        @Test(arguments: Rung.withZeroCopy)
        func sendsOneWriteThatIsLargerThanABuffer(rung: Rung) throws {
            let configure = { (options: inout LoopOptions) in
                options.bufferBytes = 1_024
                options.bufferCount = 8
            }
            try withLoop(rung, configure) { server in
                let pattern = Pattern(seed: 5)
                let total = 3_000_001
                let listening = try server.listen {
                    TestHandler { $0.write(pattern.bytes(count: total)) }
                }
                let peer = try listening.connect()
                try peer.expect(pattern, 0..<total)
            }
        }

        @Test(arguments: Rung.all)
        func deliversABulkStreamThroughATinySendBuffer(rung: Rung) throws {
            let total = bulk(rung.featuresOff.isEmpty ? 100_000_000 : 8_000_000)
            try withLoop(rung) { server in
                let pattern = Pattern(seed: 6)
                let listening = try server.listen {
                    let handler = SendingHandler(pattern, totalBytes: total) { $0.close() }
                    handler.whenMade = { try $0.setOption(.sendBufferBytes(4_096)) }
                    return handler
                }
                let peer = try listening.connect()
                peer.acknowledgesAtOnce = true
                try peer.expect(pattern, 0..<total)
                #expect(try peer.ending() == .eof)
            }
        }

        @Test(arguments: Rung.all)
        func keepsPipelinedWritesOfAllSizesInOrder(rung: Rung) throws {
            try withLoop(rung) { server in
                let pattern = Pattern(seed: 7)
                let sizes = (0..<2_000).map { 1 + $0 * $0 % 1_777 }
                let total = sizes.reduce(0, +)
                let listening = try server.listen {
                    TestHandler { transport in
                        try transport.setOption(.sendBufferBytes(4_096))
                        var position = 0
                        for size in sizes {
                            transport.write(pattern.bytes(at: position, count: size))
                            position += size
                        }
                    }
                }
                let peer = try listening.connect()
                peer.acknowledgesAtOnce = true
                try peer.expect(pattern, 0..<total, pieceBytes: 1_000)
            }
        }
    }
}
