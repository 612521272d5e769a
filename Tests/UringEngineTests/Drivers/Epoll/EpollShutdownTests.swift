import CUring
import Glibc
import Testing

@testable import UringEngine

@Suite("The end of an epoll driver")
struct EpollShutdownTests {
    @Test func leavesThePoolsMemoryAlone() throws {
        let clock = try EpollHarness()
        let harness = try EpollHarness(bufferBytes: 4096, bufferCount: 16)
        harness.provideAll()
        let pairs = try (0..<8).map { _ in try SocketPair() }
        for pair in pairs { harness.receive(from: pair.near, byteBudget: 65_536) }
        try harness.driver.submitAndWait(.poll)
        pairs[0].write([UInt8](repeating: 3, count: 2_000))
        #expect(harness.driver.shutDown(graceNanoseconds: 0) == 0)
        #expect(harness.driver.shutDown(graceNanoseconds: 0) == 0, "a second call changes nothing")
        let bytes = UnsafeRawBufferPointer(
            start: harness.memory.base,
            count: harness.memory.byteCount
        )
        let before = Array(bytes)
        for pair in pairs { pair.write([UInt8](repeating: 8, count: 2_000)) }
        try clock.waitOut(nanoseconds: 50_000_000)
        #expect(Array(bytes) == before)
    }

    @Test func closesConnectionsThatNobodyWillHearOf() throws {
        let before = openDescriptorCount()
        do {
            let harness = try EpollHarness()
            let driver = harness.driver
            let (listener, address) = try driver.loopbackListener()
            let clients = try (0..<5).map { _ in try driver.openStreamSocket(for: address) }
            let form = UnsafeMutablePointer<cu_address>.allocate(capacity: 1)
            defer { form.deallocate() }
            form.initialize(to: cu_address())
            try address.store(in: &form.pointee)
            for client in clients { driver.connect(harness.token(.connect), on: client, to: form) }
            _ = try harness.completions(5)
            driver.accept(harness.token(.accept), on: listener, isMultishot: true)
            try driver.submitAndWait(.forever)
            #expect(driver.hasUnreadCompletions)
            #expect(driver.shutDown(graceNanoseconds: 0) == 0)
            for descriptor in clients + [listener] { driver.close(descriptor) }
        }
        #expect(openDescriptorCount() == before)
    }

    @Test func isQuietWhereNobodyAskedForIt() throws {
        let before = openDescriptorCount()
        let pair = try SocketPair()
        do {
            let harness = try EpollHarness()
            harness.receive(from: pair.near, byteBudget: 64)
            try harness.driver.submitAndWait(.poll)
        }
        #expect(openDescriptorCount() == before + 2)
    }

    @Test func isFollowedByErrorsAndEmptiness() throws {
        let harness = try EpollHarness()
        #expect(harness.driver.shutDown(graceNanoseconds: 0) == 0)
        #expect(!harness.driver.hasUnreadCompletions)
        #expect(harness.reap().isEmpty)
        #expect(throws: IOError.self) { try harness.driver.submitAndWait(.forever) }
    }

    @Test(arguments: [OperationKind.cancel, .send, .receive].map(\.rawValue))
    func isFollowedByNoOperation(_ raw: UInt8) async {
        await #expect(processExitsWith: .failure) { [raw] in
            let driver = try EpollDriver()
            _ = driver.shutDown(graceNanoseconds: 0)
            let kind = try #require(OperationKind(rawValue: raw))
            let slot = SlotIndex(rawValue: 1)
            let token = OperationToken(generation: .first, kind: kind, slot: slot)
            let descriptor = Descriptor(rawValue: 0)
            switch kind {
            case .send:
                driver.send(
                    token,
                    on: descriptor,
                    bytes: UnsafeRawBufferPointer(start: nil, count: 0)
                )
            case .receive:
                driver.receive(token, from: descriptor, byteBudget: 1, waitForReadiness: false)
            default: driver.cancel(token, target: token)
            }
        }
    }

    @Test func aPoolThatIdsCannotNumberIsRefused() throws {
        let driver = try EpollDriver()
        let memory = try MemoryMap(byteCount: 64)
        for (bytes, count) in [(1, 40_000), (0, 4), (64, 0)] {
            let region = PoolRegion(base: memory.base, bufferBytes: bytes, bufferCount: count)
            #expect(throws: IOError.self) { try driver.adopt(region) }
        }
    }
}
