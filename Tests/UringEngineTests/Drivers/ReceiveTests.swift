import CUring
import Glibc
import Testing

@testable import UringEngine

struct ReceiveTests {
    private static let modes: [Set<KernelFeature>] = [
        [], [.receiveBudget], [.multishotReceive], [.bufferRing],
    ]

    /// Receives `count` bytes, re-arming where the driver is not multishot and handing buffers back at once.
    private func receive(
        _ count: Int,
        from pair: SocketPair,
        _ harness: DriverHarness
    ) throws -> [UInt8] {
        let driver = harness.driver
        var bytes: [UInt8] = []
        while bytes.count < count {
            let token = harness.token(.receive)
            driver.receive(token, from: pair.near, byteBudget: 4096, waitForReadiness: false)
            var isArmed = true
            while isArmed, bytes.count < count {
                for completion in try harness.completions(1) where completion.token == token {
                    bytes += harness.bytes(of: completion)
                    if completion.buffer != .none { driver.provide(completion.buffer) }
                    driver.publish()
                    isArmed = !completion.isTerminal
                }
            }
            guard isArmed else { continue }
            driver.cancel(harness.token(.cancel), target: token)
            _ = try harness.rest(of: token)
        }
        return bytes
    }

    @Test(arguments: modes)
    func bytesArriveInOrder(off: Set<KernelFeature>) throws {
        let harness = try DriverHarness { $0.featuresOff = off }
        harness.provideAll()
        let pair = try SocketPair()
        let sent = (0..<2_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        pair.write(sent)
        #expect(try receive(sent.count, from: pair, harness) == sent)
    }

    @Test(arguments: modes)
    func theEndOfTheStreamIsAZero(off: Set<KernelFeature>) throws {
        let harness = try DriverHarness { $0.featuresOff = off }
        harness.provideAll()
        let pair = try SocketPair()
        pair.closeFar()
        let token = harness.token(.receive)
        harness.driver.receive(token, from: pair.near, byteBudget: 64, waitForReadiness: false)
        let last = try #require(try harness.rest(of: token).last)
        #expect(last.result == 0 && last.isTerminal)
        #expect(last.slice.map(\.count) ?? 0 == 0)
    }

    @Test(arguments: modes)
    func withoutABufferTheReceiveEndsWithENOBUFS(off: Set<KernelFeature>) throws {
        let harness = try DriverHarness(bufferCount: 2) { $0.featuresOff = off }
        let driver = harness.driver
        harness.provideAll()
        let pair = try SocketPair()
        pair.write([UInt8](repeating: 9, count: 3 * 64))
        var taken: [BufferID] = []
        var failure: Completion?
        while failure == nil {
            let token = harness.token(.receive)
            driver.receive(token, from: pair.near, byteBudget: 4096, waitForReadiness: false)
            for completion in try harness.rest(of: token) {
                if completion.buffer != .none { taken.append(completion.buffer) }
                if completion.result < 0 { failure = completion }
            }
        }
        #expect(failure?.errno == .noBuffers && failure?.isTerminal == true)
        #expect(Set(taken).count == 2)
        for buffer in taken { driver.provide(buffer) }
        driver.publish()
        #expect(try receive(64, from: pair, harness) == [UInt8](repeating: 9, count: 64))
    }

    @Test(arguments: [
        (256, 4), (255, 3), (200, 3), (128, 2), (64, 1), (1, 1), (10_000, 9), (.max, 9),
    ])
    func theBudgetEndsTheReceive(byteBudget: Int, buffers: Int) throws {
        let harness = try DriverHarness(bufferCount: 16)
        guard harness.driver.capabilities.receiveBudget else { return }
        harness.provideAll()
        let pair = try SocketPair()
        pair.write([UInt8](repeating: 1, count: 9 * 64))
        let token = harness.token(.receive)
        harness.driver.receive(
            token,
            from: pair.near,
            byteBudget: byteBudget,
            waitForReadiness: false
        )
        if byteBudget > 9 * 64 { pair.closeFar() }
        let all = try harness.rest(of: token).filter { $0.result > 0 }
        #expect(all.map(\.result) == [Int32](repeating: 64, count: buffers))
        #expect(harness.driver.operationsInFlight == 1)
    }

    @Test func aBudgetIsNotOvershotByUnevenMessages() throws {
        let harness = try DriverHarness(bufferCount: 16)
        guard harness.driver.capabilities.receiveBudget else { return }
        harness.provideAll()
        let pair = try SocketPair(type: Int32(SOCK_SEQPACKET.rawValue))
        for _ in 0..<9 { pair.write([UInt8](repeating: 1, count: 60)) }
        let token = harness.token(.receive)
        harness.driver.receive(token, from: pair.near, byteBudget: 256, waitForReadiness: false)
        let sum = try harness.rest(of: token).reduce(0) { $0 + $1.result }
        #expect(sum <= 256 && sum > 256 - 64)
    }

    @Test(arguments: modes)
    func waitingForReadinessNeedsNoBufferUntilDataComes(off: Set<KernelFeature>) throws {
        let harness = try DriverHarness(bufferCount: 2) { $0.featuresOff = off }
        let driver = harness.driver
        let pair = try SocketPair()
        let token = harness.token(.receive)
        // No buffer is provided yet: an attempt made at once would end with ENOBUFS.
        driver.receive(token, from: pair.near, byteBudget: 4096, waitForReadiness: true)
        try harness.waitOut(nanoseconds: 5_000_000)
        #expect(harness.reap().isEmpty)
        harness.provideAll()
        pair.write([1, 2, 3])
        let first = try #require(try harness.completions(1).first)
        #expect(harness.bytes(of: first) == [1, 2, 3])
    }

    @Test(arguments: modes)
    func aCancelledReceiveEndsAndSoDoesItsCancel(off: Set<KernelFeature>) throws {
        let harness = try DriverHarness { $0.featuresOff = off }
        harness.provideAll()
        let pair = try SocketPair()
        let receive = harness.token(.receive)
        let cancel = harness.token(.cancel)
        harness.driver.receive(receive, from: pair.near, byteBudget: 64, waitForReadiness: false)
        try harness.driver.submitAndWait(.poll)
        harness.driver.cancel(cancel, target: receive)
        let all = try harness.completions(2)
        #expect(all.filter { $0.token == receive }.map(\.errno) == [.cancelled])
        #expect(all.filter { $0.token == cancel }.map(\.result) == [0])
        #expect(harness.driver.operationsInFlight == 1)
    }

    @Test func discardTakesBytesAndNoBuffer() throws {
        let harness = try DriverHarness()
        let driver = harness.driver
        let (listener, address) = try driver.loopbackListener()
        let client = try driver.openStreamSocket(for: address)
        let accept = harness.token(.accept)
        driver.accept(accept, on: listener, isMultishot: true)
        let form = UnsafeMutablePointer<cu_address>.allocate(capacity: 1)
        defer { form.deallocate() }
        form.initialize(to: cu_address())
        try address.store(in: &form.pointee)
        driver.connect(harness.token(.connect), on: client, to: form)
        let both = try harness.completions(2)
        #expect(both.allSatisfy { $0.result >= 0 })
        let server = try #require(both.first { $0.token == accept }).result
        let sent = [UInt8](repeating: 5, count: 1_000)
        #expect(write(server, sent, sent.count) == sent.count)
        let token = harness.token(.discard)
        driver.discard(token, from: client, byteCount: 4_096)
        let gone = try #require(try harness.rest(of: token).last)
        #expect(gone.result == 1_000 && gone.buffer == .none)
        for descriptor in [server, client.rawValue, listener.rawValue] { close(descriptor) }
    }

    @Test func aPoolThatIdsCannotNumberIsRefused() throws {
        let driver = try UringDriver(options: UringDriverOptions())
        let memory = try MemoryMap(byteCount: 64)
        for (bytes, count) in [(1, 40_000), (0, 4), (64, 0)] {
            let region = PoolRegion(base: memory.base, bufferBytes: bytes, bufferCount: count)
            #expect(throws: IOError.self) { try driver.adopt(region) }
        }
        #expect(driver.shutDown(graceNanoseconds: DriverHarness.patience) == 0)
    }
}
