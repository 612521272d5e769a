import CUring
import Glibc
import Testing

@testable import UringEngine

struct SubmissionTests {
    private static func tiny(_ options: inout UringDriverOptions) {
        options.sizes = RingSizes(
            submissionEntries: 4,
            completionEntries: 8,
            providedEntries: 8
        )
    }

    @Test func aFullQueueIsHandedOverAndNothingIsDropped() throws {
        let harness = try DriverHarness { $0.sizes.submissionEntries = 4 }
        for _ in 0..<50 {
            harness.driver.cancel(harness.token(.cancel), target: harness.token(.receive))
        }
        #expect(harness.driver.metrics.submissionQueueFull > 0)
        let slots = try harness.completions(50).map { Int($0.token.slot.rawValue) }
        #expect(Set(slots).count == 50)
        #expect(harness.driver.operationsInFlight == 1)
    }

    /// Both are handed over together, or neither is begun.
    @Test func aDeadlineIsNotPartedFromItsConnect() throws {
        let harness = try DriverHarness { $0.sizes.submissionEntries = 4 }
        let driver = harness.driver
        let (listener, address) = try driver.loopbackListener()
        defer { close(listener.rawValue) }
        let client = try driver.openStreamSocket(for: address)
        defer { close(client.rawValue) }
        // The wait hands the waker's poll over, and leaves the queue empty.
        try driver.submitAndWait(.poll)
        for _ in 0..<3 {
            driver.cancel(harness.token(.cancel), target: harness.token(.receive))
        }
        var form = cu_address()
        try address.store(in: &form)
        form.deadline.tv_sec = .max
        let connect = harness.token(.connect)
        // Safety: the address stands until the completion was taken.
        try withUnsafePointer(to: form) { form in
            #expect(!driver.connectInTime(connect, on: client, to: form), "one place is left")
            #expect(try harness.completions(3).count == 3)
            #expect(driver.connectInTime(connect, on: client, to: form))
            let completion = try #require(try harness.completions(1).first)
            #expect(completion.token == connect && completion.result == 0)
            // The deadline's own end is nobody's business.
            while driver.operationsInFlight > 1 {
                try driver.submitAndWait(.deadline(driver.now() + DriverHarness.patience))
                #expect(harness.reap().isEmpty)
            }
        }
    }

    @Test func overflowOfTheCompletionQueueLosesNothing() throws {
        let harness = try DriverHarness(Self.tiny)
        for _ in 0..<100 {
            harness.driver.cancel(harness.token(.cancel), target: harness.token(.receive))
        }
        let slots = try harness.completions(100).map { Int($0.token.slot.rawValue) }
        #expect(Set(slots).count == 100)
        #expect(harness.driver.metrics.overflows > 0)
        #expect(harness.driver.operationsInFlight == 1)
    }

    @Test func connectionsBeyondTheCompletionQueueAreAllAccepted() throws {
        let harness = try DriverHarness(Self.tiny)
        let driver = harness.driver
        let (listener, address) = try driver.loopbackListener()
        var accept = harness.token(.accept)
        driver.accept(accept, on: listener, isMultishot: true)
        try driver.submitAndWait(.poll)
        var clients: [Descriptor] = []
        var form = cu_address()
        try address.store(in: &form)
        for _ in 0..<60 {
            let client = try driver.openStreamSocket(for: address)
            clients.append(client)
            withUnsafePointer(to: form.storage) { storage in
                storage.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    _ = connect(client.rawValue, $0, form.length)
                }
            }
        }
        var accepted: [Int32] = []
        while accepted.count < clients.count {
            for completion in try harness.completions(1) {
                if completion.result >= 0 { accepted.append(completion.result) }
                guard completion.isTerminal, accepted.count < clients.count else { continue }
                accept = harness.token(.accept)
                driver.accept(accept, on: listener, isMultishot: true)
            }
        }
        #expect(Set(accepted).count == 60)
        for descriptor in accepted + clients.map(\.rawValue) { close(descriptor) }
        #expect(driver.shutDown(graceNanoseconds: DriverHarness.patience) == 0)
        close(listener.rawValue)
    }

    @Test func operationsThatTheKernelDoesNotTakeNowWaitInOrder() throws {
        let harness = try DriverHarness { $0.sizes.submissionEntries = 4 }
        let driver = harness.driver
        let saved = driver.raw.pointee.enter_ring_fd
        driver.raw.pointee.enter_ring_fd = 1_000_000
        let token = harness.token(.poll)
        let pair = try SocketPair()
        for _ in 0..<200 {
            driver.cancel(harness.token(.cancel), target: harness.token(.receive))
        }
        driver.poll(token, on: pair.near, events: .readable, isMultishot: false)
        driver.cancel(harness.token(.cancel), target: token)
        #expect(driver.hasBacklog)
        #expect(throws: IOError.self) { try driver.submitAndWait(.poll) }
        driver.raw.pointee.enter_ring_fd = saved
        let all = try harness.completions(202)
        #expect(all.count == 202)
        #expect(all.filter { $0.token == token }.map(\.errno) == [.cancelled])
        #expect(!driver.hasBacklog)
    }

    @Test func aBadEntryStopsNothingOnThePlainRung() throws {
        let harness = try DriverHarness { $0.featuresOff = [.submitAll] }
        let driver = harness.driver
        let bad = harness.token(.poll)
        driver.accept(bad, on: Descriptor(rawValue: -1), isMultishot: true)
        for _ in 0..<5 {
            driver.cancel(harness.token(.cancel), target: harness.token(.receive))
        }
        let all = try harness.completions(6)
        #expect(all.filter { $0.token == bad }.map(\.errno) == [.badDescriptor])
    }
}
