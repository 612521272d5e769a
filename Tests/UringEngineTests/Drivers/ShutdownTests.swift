import CUring
import Glibc
import Testing

@testable import UringEngine

struct ShutdownTests {
    private func hash(_ harness: DriverHarness) -> Int {
        var hasher = Hasher()
        hasher.combine(
            bytes: UnsafeRawBufferPointer(
                start: harness.memory.base,
                count: harness.memory.byteCount
            )
        )
        return hasher.finalize()
    }

    @Test(
        arguments: [
            [], [.receiveBudget], [.multishotReceive], [.bufferRing], [.deferTaskrun], [.submitAll],
        ]
            as [Set<KernelFeature>]
    )
    func theKernelWritesNothingIntoThePoolAfterwards(off: Set<KernelFeature>) throws {
        let clock = try DriverHarness()
        let harness = try DriverHarness(bufferBytes: 4096, bufferCount: 16) { $0.featuresOff = off }
        harness.provideAll()
        let pairs = try (0..<8).map { _ in try SocketPair() }
        for pair in pairs {
            harness.driver.receive(
                harness.token(.receive),
                from: pair.near,
                byteBudget: 65_536,
                waitForReadiness: false
            )
        }
        try harness.driver.submitAndWait(.poll)
        pairs[0].write([UInt8](repeating: 3, count: 2_000))
        #expect(harness.driver.shutDown(graceNanoseconds: DriverHarness.patience) == 0)
        let before = hash(harness)
        for pair in pairs { pair.write([UInt8](repeating: 8, count: 2_000)) }
        try clock.waitOut(nanoseconds: 200_000_000)
        #expect(hash(harness) == before)
        #expect(pairs[1].near.rawValue >= 0)
    }

    @Test func connectionsThatNobodyWillHearOfAreClosed() throws {
        let before = openDescriptorCount()
        do {
            let harness = try DriverHarness()
            let driver = harness.driver
            let (listener, address) = try driver.loopbackListener()
            let clients = try (0..<5).map { _ in try driver.openStreamSocket(for: address) }
            let form = UnsafeMutablePointer<cu_address>.allocate(capacity: 1)
            defer { form.deallocate() }
            form.initialize(to: cu_address())
            try address.store(in: &form.pointee)
            for client in clients { driver.connect(harness.token(.connect), on: client, to: form) }
            driver.accept(harness.token(.accept), on: listener, isMultishot: true)
            try driver.submitAndWait(.poll)
            #expect(driver.shutDown(graceNanoseconds: DriverHarness.patience) == 0)
            for descriptor in clients + [listener] { driver.close(descriptor) }
        }
        #expect(openDescriptorCount() == before)
    }

    @Test func aPortIsFreeAtOnceAfterwards() throws {
        for _ in 0..<20 {
            let harness = try DriverHarness()
            let driver = harness.driver
            let (listener, address) = try driver.loopbackListener()
            driver.accept(harness.token(.accept), on: listener, isMultishot: true)
            try driver.submitAndWait(.poll)
            #expect(driver.shutDown(graceNanoseconds: DriverHarness.patience) == 0)
            driver.close(listener)
            let again = try driver.openStreamSocket(for: address)
            try driver.bind(again, to: address)
            driver.close(again)
        }
    }

    @Test func unsubmittedOperationsEndToo() throws {
        let harness = try DriverHarness { $0.sizes.submissionEntries = 4 }
        let pair = try SocketPair()
        for _ in 0..<10 {
            harness.driver.poll(
                harness.token(.poll),
                on: pair.near,
                events: .readable,
                isMultishot: false
            )
        }
        #expect(harness.driver.shutDown(graceNanoseconds: DriverHarness.patience) == 0)
        #expect(harness.driver.operationsInFlight == 0)
    }

    @Test func withoutGraceWhatIsLeftIsCounted() throws {
        let harness = try DriverHarness()
        let pair = try SocketPair()
        harness.driver.poll(
            harness.token(.poll),
            on: pair.near,
            events: .readable,
            isMultishot: false
        )
        let left = harness.driver.shutDown(graceNanoseconds: 0)
        #expect((0...1).contains(left), "the driver's own operations are not counted")
        #expect(
            harness.driver.shutDown(graceNanoseconds: 0) == left,
            "a second call changes nothing"
        )
    }

    @Test func aDriverThatWasNeverShutDownEndsQuietly() throws {
        let before = openDescriptorCount()
        let pair = try SocketPair()
        do {
            let driver = try UringDriver(options: UringDriverOptions())
            let token = OperationToken(
                generation: .first,
                kind: .poll,
                slot: SlotIndex(rawValue: 1)
            )
            driver.poll(token, on: pair.near, events: .readable, isMultishot: true)
            try driver.submitAndWait(.poll)
        }
        #expect(openDescriptorCount() == before + 2)
    }

    @Test func aDriverDroppedOnAnotherThreadEndsQuietly() throws {
        let before = openDescriptorCount()
        var thread = pthread_t()
        let driver = try Unmanaged.passRetained(UringDriver(options: UringDriverOptions()))
            .toOpaque()
        try #require(pthread_create(&thread, nil, releaseOnThread, driver) == 0)
        pthread_join(thread, nil)
        #expect(openDescriptorCount() == before)
    }

    @Test func aClosedDriverAnswersWithErrorsAndEmptiness() throws {
        let harness = try DriverHarness()
        let driver = harness.driver
        #expect(driver.shutDown(graceNanoseconds: DriverHarness.patience) == 0)
        #expect(!driver.hasUnreadCompletions)
        #expect(harness.reap().isEmpty)
        #expect(throws: IOError.self) { try driver.submitAndWait(.forever) }
    }

    @Test func anOperationAfterShutDownTraps() async {
        await #expect(processExitsWith: .failure) {
            let driver = try UringDriver(options: UringDriverOptions())
            _ = driver.shutDown(graceNanoseconds: 1_000_000_000)
            let token = OperationToken(
                generation: .first,
                kind: .poll,
                slot: SlotIndex(rawValue: 1)
            )
            driver.cancel(token, target: token)
        }
    }
}

private nonisolated func releaseOnThread(
    _ driver: UnsafeMutableRawPointer?
) -> UnsafeMutableRawPointer? {
    guard let driver else { return nil }
    Unmanaged<UringDriver>.fromOpaque(driver).release()
    return nil
}
