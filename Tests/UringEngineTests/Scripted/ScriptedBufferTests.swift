import Testing
import UringEngine
import UringTesting

@Suite struct ScriptedBufferTests {
    private let driver = ScriptedDriver()
    private var tokens = ScriptedTokens()

    private mutating func receive(_ byteBudget: Int) throws -> (OperationToken, Descriptor) {
        let token = tokens.next(.receive)
        let peer = driver.makeConnection()
        driver.receive(token, from: peer, byteBudget: byteBudget, waitForReadiness: false)
        try driver.submitAndWait(.poll)
        return (token, peer)
    }

    @Test func ownsWhatWasProvidedAndOffersWhatWasPublished() throws {
        let memory = try ScriptedPool()
        try driver.adopt(memory.region)
        driver.provide(BufferID(rawValue: 3))
        driver.provide(BufferID(rawValue: 1))
        #expect(driver.ownedBuffers == [BufferID(rawValue: 1), BufferID(rawValue: 3)])
        #expect(driver.providedBuffers == [BufferID(rawValue: 3), BufferID(rawValue: 1)])
        #expect(driver.publishedBuffers.isEmpty)
        driver.publish()
        #expect(driver.providedBuffers.isEmpty)
        #expect(driver.publishedBuffers == [BufferID(rawValue: 3), BufferID(rawValue: 1)])
    }

    @Test mutating func deliversIntoTheNextPublishedBuffer() throws {
        let memory = try ScriptedPool()
        try driver.publishAll(of: memory.region)
        let (token, peer) = try receive(1_000)
        let first = driver.deliver([1, 2, 3], on: peer)
        let second = driver.deliver([4], to: token, isTerminal: true)

        #expect(first == BufferID(rawValue: 0))
        #expect(memory.bytes(of: first, count: 3) == [1, 2, 3])
        #expect(memory.bytes(of: second, count: 1) == [4])
        #expect(driver.ownedBuffers == [BufferID(rawValue: 2), BufferID(rawValue: 3)])
        let seen = driver.reapAll()
        #expect(
            seen.map(\.slice) == [
                BufferSlice(buffer: first, offset: 0, count: 3),
                BufferSlice(buffer: second, offset: 0, count: 1),
            ]
        )
        #expect(seen.map(\.isTerminal) == [false, true])
        driver.provide(first)
        driver.publish()
        #expect(driver.publishedBuffers.last == first)
    }

    @Test mutating func endsAReceiveWhoseBudgetIsUsedUp() throws {
        let memory = try ScriptedPool()
        try driver.publishAll(of: memory.region)
        let (token, peer) = try receive(10)
        driver.deliver([UInt8](repeating: 1, count: 6), on: peer)
        driver.deliver([UInt8](repeating: 2, count: 4), on: peer)
        #expect(driver.reapAll().map(\.isTerminal) == [false, true])
        #expect(driver.operation(token)?.deliveredByteCount == 10)
    }

    @Test mutating func endsEachReceiveWhereThereIsNoMultishot() throws {
        driver.capabilities.multishotReceive = false
        let memory = try ScriptedPool()
        try driver.publishAll(of: memory.region)
        let (_, peer) = try receive(1_000)
        driver.deliver([1], on: peer)
        #expect(driver.reapAll().map(\.isTerminal) == [true])
    }

    @Test mutating func endsTheStreamWithoutABuffer() throws {
        let (token, peer) = try receive(1_000)
        driver.endStream(on: peer)
        let seen = driver.reapAll()
        #expect(seen.map(\.token) == [token])
        #expect(seen.map(\.result) == [0])
        #expect(seen[0].slice == nil)
    }

    @Test mutating func scriptsAnEmptyPool() throws {
        let (token, _) = try receive(1_000)
        driver.fail(token, with: .noBuffers)
        #expect(driver.reapAll().map(\.errno) == [.noBuffers])
    }

    @Test func overwritesWhatIsProvided() throws {
        let memory = try ScriptedPool()
        try driver.adopt(memory.region)
        memory.region.address(of: BufferID(rawValue: 1)).storeBytes(of: 7, as: UInt8.self)
        driver.provide(BufferID(rawValue: 1))
        #expect(memory.bytes(of: BufferID(rawValue: 1), count: 64).allSatisfy { $0 == 0xDB })
        #expect(memory.bytes(of: BufferID(rawValue: 0), count: 64).allSatisfy { $0 == 0 })
        #expect(memory.bytes(of: BufferID(rawValue: 2), count: 64).allSatisfy { $0 == 0 })
    }

    @Test mutating func carriesABufferInAStaleCompletion() throws {
        let memory = try ScriptedPool()
        try driver.publishAll(of: memory.region)
        let buffer = BufferID(rawValue: 2)
        driver.complete(tokens.next(.receive), result: 5, buffer: buffer, allowStale: true)
        #expect(!driver.ownedBuffers.contains(buffer))
        #expect(driver.reapAll().map(\.buffer) == [buffer])
    }

    @Test func trapsWhenABufferIsProvidedTwice() async {
        await #expect(processExitsWith: .failure) {
            let driver = ScriptedDriver()
            let memory = try ScriptedPool()
            try driver.publishAll(of: memory.region)
            driver.provide(BufferID(rawValue: 0))
        }
    }

    @Test func trapsWhenNoBufferIsPublished() async {
        await #expect(processExitsWith: .failure) {
            var tokens = ScriptedTokens()
            let driver = ScriptedDriver()
            let memory = try ScriptedPool()
            try driver.adopt(memory.region)
            driver.provide(BufferID(rawValue: 0))
            let peer = driver.makeConnection()
            let token = tokens.next(.receive)
            driver.receive(token, from: peer, byteBudget: 8, waitForReadiness: false)
            try driver.submitAndWait(.poll)
            driver.deliver([1], on: peer)
        }
    }
}
