import Testing

@testable import UringEngine

extension Integration {
    @Suite("Options") struct OptionTests {
        @Test(arguments: Rung.all)
        func quarantinedBuffersServeOnceTheyHaveRested(rung: Rung) throws {
            try withLoop(rung) {
                $0.quarantine = .microseconds(200)
                $0.bufferBytes = 1_024
                $0.bufferCount = 4
            } _: { server in
                let listening = try server.listen { EchoHandler() }
                let peers = try (0..<8).map { _ in try listening.connect() }
                for _ in 0..<10 { try exchange(peers, byteCount: 5_000) }
            }
        }

        @Test func quarantineHoldsReturnedBuffersBack() throws {
            try withLoop {
                $0.quarantine = .seconds(3_600)
                $0.bufferCount = 16
            } _: { server in
                let listening = try server.listen { EchoHandler() }
                let peer = try listening.connect()
                for round in 0..<16 {
                    let range = round * 100..<(round + 1) * 100
                    try peer.send(Pattern(), range)
                    try peer.expect(Pattern(), range)
                }
                try peer.send([1])
                try server.eventually("the pool is used up") { $0.metrics.starvations > 0 }
                #expect(try server.run { $0.quarantine.count } == 16)
                // Without a buffer it cannot see that its peer goes away.
                let handler = try listening.accepted()
                try server.run { _ in handler.transport?.abort() }
            }
        }

        /// The loop never parks: whatever comes must show while it looks.
        @Test(arguments: Rung.all)
        func aLoopThatSpinsForeverSeesAllThatComes(rung: Rung) throws {
            try withLoop(rung) {
                $0.spin = .seconds(3_600)
            } _: { server in
                let listening = try server.listen { EchoHandler() }
                let peers = try (0..<4).map { _ in try listening.connect() }
                for _ in 0..<20 { try exchange(peers, byteCount: 20_000) }
                let fired = Gate()
                try server.run { loop in
                    loop.callLater(.milliseconds(1)) { fired.open() }
                }
                try fired.wait("a timer")
                #expect(server.loop.scheduler.counters.wakesAsked == 0)
            }
        }

        @Test func submissionPollingServesOrFallsBack() throws {
            try withLoop {
                $0.isSubmissionPolled = true
                $0.submissionPollIdle = .milliseconds(1)
            } _: { server in
                let summary = try server.run { $0.driverSummary }
                let lines = server.notes.lines.all
                #expect(
                    summary.contains("sqpoll") || !lines.isEmpty,
                    "a fallback is said: \(summary)"
                )
                let listening = try server.listen { EchoHandler() }
                let peers = try (0..<16).map { _ in try listening.connect() }
                for _ in 0..<20 { try exchange(peers, byteCount: 20_000) }
            }
        }

        @Test func everyRungIsTheOneItSaysItIs() throws {
            for rung in Rung.all {
                try withLoop(rung) { server in
                    let summary = try server.run { $0.driverSummary }
                    for feature in rung.featuresOff {
                        #expect(summary.contains(feature.rawValue), "\(rung.name): \(summary)")
                    }
                }
            }
        }
    }
}
