import CUring
import Glibc
import Testing

@testable import UringEngine

extension Integration {
    /// A loop that a plain epoll loop drives.
    @Suite("In a foreign loop") struct ForeignLoopTests {
        /// The foreign loop: it knows a descriptor and a timeout, and nothing of what they stand for.
        private final class Foreign {
            let loop: EventLoop
            private let set = epoll_create1(Int32(EPOLL_CLOEXEC))
            private(set) var waitCount = 0

            init(_ rung: Rung) throws {
                var options = LoopOptions()
                options.memoryLock = .off
                options.backend = rung.backend
                options.featuresOff = rung.featuresOff
                loop = try EventLoop(options)
                let descriptor = try #require(try loop.completionDescriptor).rawValue
                var event = epoll_event()
                event.events = UInt32(EPOLLIN.rawValue)
                #expect(epoll_ctl(set, EPOLL_CTL_ADD, descriptor, &event) == 0)
            }

            deinit {
                close(set)
            }

            /// Turns until `condition` holds.
            func run(until condition: () -> Bool) throws {
                let deadline = Deadline.after(.seconds(Gate.patienceSeconds))
                while !condition() {
                    guard Deadline.now < deadline else { throw TimedOut(what: "a foreign loop") }
                    switch try loop.step() {
                    case .none, .stopped: break
                    case let pause: if !condition() { wait(pause) }
                    }
                }
            }

            private func wait(_ pause: LoopPause) {
                waitCount += 1
                let left = pause.nanosecondsLeft.map { min(($0 + 999_999) / 1_000_000, 100_000) }
                var event = epoll_event()
                _ = epoll_wait(set, &event, 1, left.map { Int32($0) } ?? 100_000)
            }

            func end() {
                let descriptor = (try? loop.completionDescriptor)?.rawValue ?? -1
                epoll_ctl(set, EPOLL_CTL_DEL, descriptor, nil)
                #expect(loop.shutDown() == 0)
            }
        }

        @Test(arguments: Rung.all) func firesTimers(rung: Rung) throws {
            let before = openDescriptorCount()
            try fireTimers(rung)
            #expect(openDescriptorCount() == before)
        }

        private func fireTimers(_ rung: Rung) throws {
            let foreign = try Foreign(rung)
            defer { foreign.end() }
            var fired: [Int] = []
            for number in [30, 10, 20] {
                foreign.loop.callLater(.milliseconds(number)) { fired.append(number) }
            }
            foreign.loop.callSoon { fired.append(0) }
            try foreign.run { fired.count == 4 }
            #expect(fired == [0, 10, 20, 30])
            #expect(foreign.waitCount > 0, "it waited for the timers")
        }

        @Test(arguments: Rung.all) func servesConnections(rung: Rung) throws {
            let foreign = try Foreign(rung)
            defer { foreign.end() }
            let listener = try foreign.loop.listen(on: .ipv4(0x7F00_0001, port: 0)) {
                EchoHandler()
            }
            let address = listener.address
            let pattern = Pattern(seed: 31)
            let clients = (0..<3).map { number in
                WorkThread {
                    let peer = try Peer(to: address, Peer.Buffers())
                    for round in 0..<50 {
                        let range = round * 2_000..<(round + 1) * 2_000
                        try peer.send(pattern, range)
                        try peer.expect(pattern, range)
                    }
                    peer.close()
                    return number
                }
            }
            try foreign.run {
                foreign.loop.metrics.connections == 3 && foreign.loop.openConnections == 0
            }
            for client in clients { _ = try client.join() }
        }

        /// No timer, no timeout: a post that was not seen would hang.
        @Test(arguments: Rung.all) func losesNoPost(rung: Rung) throws {
            let foreign = try Foreign(rung)
            defer { foreign.end() }
            let loop = foreign.loop
            var received = 0
            let handed = Handed(value: { received += 1 })
            let turns = Counter()
            let posting = WorkThread {
                for number in 0..<20_000 {
                    loop.callSoonThreadsafe { handed.value() }
                    // Now in step with the loop, now far ahead of it.
                    if number % 3 == 0 { while turns.value < number / 3 { sched_yield() } }
                }
            }
            while received < 20_000 {
                let wanted = received
                try foreign.run { received > wanted }
                while turns.value * 3 < received { turns.add() }
            }
            try posting.join()
            #expect(received == 20_000)
        }

        @Test(arguments: Rung.all) func saysWhatItWaitsFor(rung: Rung) throws {
            let foreign = try Foreign(rung)
            defer { foreign.end() }
            let loop = foreign.loop
            var pause = try loop.step()
            for _ in 0..<5 where pause == .none { pause = try loop.step() }
            #expect(pause == .forever)
            #expect(pause.nanosecondsLeft == nil)
            let timer = loop.callLater(.seconds(1_000)) {}
            guard case .until(let deadline) = try loop.step() else {
                Issue.record("a timer is waited for")
                return
            }
            #expect(deadline > .now)
            timer.cancel()
            loop.callSoon { loop.stop() }
            #expect(try loop.step() == .stopped)
            #expect(try loop.step() != .stopped)
            loop.callSoon { loop.callSoon {} }
            #expect(try loop.step() == .none, "there is more to do")
        }

        @Test func refusesToStepAfterItsEnd() throws {
            let foreign = try Foreign(.everything)
            foreign.end()
            #expect(try foreign.loop.completionDescriptor == nil)
            #expect(throws: IOError.self) { try foreign.loop.step() }
        }
    }
}
