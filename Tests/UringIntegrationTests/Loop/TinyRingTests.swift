import Testing

@testable import UringEngine

extension Integration {
    @Suite("Tiny rings") struct TinyRingTests {
        /// The loop stands still while everything happens at once: far more completions than the
        /// queue has places.
        @Test(arguments: Rung.all, [4, 8])
        func completionQueueOverflowLosesNothing(rung: Rung, entries: Int) throws {
            DescriptorLimit.raise()
            try withLoop(rung) {
                $0.ringEntries = entries
                $0.completionEntries = entries
                $0.bufferBytes = 1_024
                $0.bufferCount = 64
            } _: { server in
                let listening = try server.listen { EchoHandler() }
                let hold = try Hold(server)
                let peers = try (0..<400).map { _ in try listening.connect() }
                for (number, peer) in peers.enumerated() {
                    try peer.send(Pattern(seed: number), 0..<100)
                }
                hold.release()
                for (number, peer) in peers.enumerated() {
                    try peer.expect(Pattern(seed: number), 0..<100)
                }
                let again = try Hold(server)
                for (number, peer) in peers.enumerated() {
                    try peer.send(Pattern(seed: number), 0..<3_000)
                }
                again.release()
                for (number, peer) in peers.enumerated() {
                    try peer.expect(Pattern(seed: number), 0..<3_000)
                }
                // Only there the kernel produces completions while the loop looks away; elsewhere
                // it stops in time.
                guard rung.name == "plain ring" else { return }
                #expect(try server.run { $0.metrics.overflows } > 0, "the path was taken")
            }
        }

        @Test(arguments: Rung.all)
        func fullSubmissionQueueDropsNothing(rung: Rung) throws {
            DescriptorLimit.raise()
            try withLoop(rung) {
                $0.ringEntries = 4
                $0.completionEntries = 8
            } _: { server in
                let listening = try server.listen { TestHandler() }
                let peers = try (0..<300).map { _ in try listening.connect() }
                let handlers = try peers.map { _ in try listening.accepted() }
                let pattern = Pattern(seed: 1)
                // One callback asks for 300 sends, 300 cancels and 300 receives.
                try server.run { _ in
                    for handler in handlers {
                        handler.transport?.write(pattern.bytes(count: 2_000))
                        handler.transport?.pauseReading()
                        handler.transport?.resumeReading()
                    }
                }
                for peer in peers { try peer.expect(pattern, 0..<2_000) }
                for peer in peers { try peer.send([1, 2, 3]) }
                try server.eventually("all were received") { _ in
                    handlers.allSatisfy { $0.receivedBytes == 3 }
                }
            }
        }
    }
}
