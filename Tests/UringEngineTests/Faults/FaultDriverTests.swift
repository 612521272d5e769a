import Glibc
import Testing
import UringTesting

@testable import UringEngine

/// What the fault driver owes the seam, held against the real kernel.
@Suite struct FaultDriverTests {
    /// A fault driver with a pool of four buffers, of which the driver in it has all.
    private final class Rig {
        let driver: FaultDriver
        private let memory: MemoryMap
        let region: PoolRegion
        private var batch = CompletionBatch(capacity: 64)

        init(_ rules: [FaultRule], prefersOwnQueue: Bool = false) throws {
            var options = UringDriverOptions()
            options.sizes = RingSizes(
                submissionEntries: 16,
                completionEntries: 64,
                providedEntries: 4
            )
            driver = try FaultDriver(
                UringDriver(options: options),
                FaultPlan(rules),
                prefersOwnQueue: prefersOwnQueue
            )
            memory = try MemoryMap(byteCount: 4 * 4_096)
            region = PoolRegion(base: memory.base, bufferBytes: 4_096, bufferCount: 4)
            try driver.adopt(region)
            for number in 0..<UInt16(4) { driver.provide(BufferID(rawValue: number)) }
            driver.publish()
        }

        deinit {
            _ = driver.shutDown(graceNanoseconds: DriverHarness.patience)
        }

        /// Waits for the terminal completion of `token`; all that came until then.
        func completions(of token: OperationToken) throws -> [Completion] {
            let deadline = driver.now() + DriverHarness.patience
            var all: [Completion] = []
            while all.last.map({ $0.token == token && $0.isTerminal }) != true {
                try driver.submitAndWait(.deadline(deadline))
                batch.removeAll()
                driver.reap(into: &batch)
                for position in 0..<batch.count { all.append(batch[position]) }
                try #require(driver.now() < deadline, "the operation ends")
            }
            return all
        }
    }

    private func token(_ kind: OperationKind) -> OperationToken {
        OperationToken(generation: .first, kind: kind, slot: SlotIndex(rawValue: 7))
    }

    @Test(arguments: [false, true])
    func failsAnOperationWithoutTheKernel(prefersOwnQueue: Bool) throws {
        let rig = try Rig(
            [FaultRule(.send, .number(1), Fault(.brokenPipe))],
            prefersOwnQueue: prefersOwnQueue
        )
        #expect(rig.driver.completesThroughRing == !prefersOwnQueue)
        let pair = try SocketPair()
        let bytes: [UInt8] = [1, 2, 3]
        let completions = try bytes.withUnsafeBytes { bytes in
            rig.driver.send(token(.send), on: pair.near, bytes: bytes)
            return try rig.completions(of: token(.send))
        }
        #expect(completions.map(\.errno) == [.brokenPipe])
        pair.write([9])
        #expect(recv(pair.far, nil, 0, Int32(MSG_DONTWAIT)) <= 0, "nothing was sent")
    }

    @Test func closesADescriptorThatNobodyHearsOf() throws {
        let fault = Fault(.tooManyFiles, .afterwards)
        let rig = try Rig([FaultRule(.accept, .number(1), fault)])
        let (listener, address) = try rig.driver.loopbackListener()
        defer { rig.driver.close(listener) }
        let client = try SystemSockets().openStreamSocket(for: address)
        defer { SystemSockets().close(client) }
        let before = openDescriptorCount()
        rig.driver.accept(token(.accept), on: listener, isMultishot: true)
        try? SystemSockets().connectAtOnce(client, to: address)
        let completions = try rig.completions(of: token(.accept))
        #expect(completions.map(\.errno) == [.tooManyFiles])
        #expect(openDescriptorCount() == before)
    }

    @Test func providesABufferAgainWhoseBytesAreLost() throws {
        let rig = try Rig([FaultRule(.receive, .number(1), Fault(.connectionReset, .afterwards))])
        let pair = try SocketPair()
        pair.write([1, 2, 3])
        receive(from: pair, on: rig)
        #expect(try rig.completions(of: token(.receive)).map(\.errno) == [.connectionReset])
        // All four are there again: as many pieces come before the pool is empty.
        var taken: Set<BufferID> = []
        for number in 0..<UInt8(4) {
            pair.write([number])
            receive(from: pair, on: rig)
            rig.driver.cancel(token(.cancel), target: token(.receive))
            for completion in try rig.completions(of: token(.receive)) where completion.hasBuffer {
                taken.insert(completion.buffer)
            }
        }
        #expect(taken.count == 4)
    }

    @Test func handsBytesOnBeforeAnErrorThatAsksAgain() throws {
        let rig = try Rig([FaultRule(.receive, .number(1), Fault(.interrupted, .afterwards))])
        let pair = try SocketPair()
        pair.write([1, 2, 3])
        receive(from: pair, on: rig)
        let completions = try rig.completions(of: token(.receive))
        #expect(completions.map(\.result) == [3, -EINTR])
        #expect(completions.map(\.isTerminal) == [false, true])
    }

    @Test func countsAndFailsOnlyWhatThePlanNames() throws {
        let rig = try Rig([FaultRule(.openStreamSocket, .every(2), Fault(.tooManyFiles))])
        let address = SocketAddress.ipv4(0x7F00_0001, port: 0)
        for number in 1...4 {
            do {
                rig.driver.close(try rig.driver.openStreamSocket(for: address))
                #expect(number % 2 == 1)
            } catch {
                #expect(error.errno == .tooManyFiles && number % 2 == 0)
            }
        }
        #expect(rig.driver.plan.count(of: .openStreamSocket) == 4)
        #expect(rig.driver.plan.usedCount == 2)
    }

    private func receive(from pair: SocketPair, on rig: Rig) {
        rig.driver.receive(
            token(.receive),
            from: pair.near,
            byteBudget: 1 << 20,
            waitForReadiness: false
        )
    }
}
