import Testing
import UringEngine
import UringTesting

@Suite struct ScriptedControlTests {
    private let driver = ScriptedDriver()
    private var tokens = ScriptedTokens()

    @Test func writesOneOrderedJournal() throws {
        let socket = try driver.openStreamSocket(for: scriptedLoopback)
        try driver.setOption(.reusePort(true), on: socket)
        try driver.bind(socket, to: scriptedLoopback)
        try driver.listen(on: socket, backlog: 16)
        #expect(driver.shutdown(socket, .both) == nil)
        driver.close(socket)

        let bound = SocketAddress.ipv4(0x7F00_0001, port: 40_000)
        #expect(
            driver.events(on: socket) == [
                .openedSocket(socket, for: scriptedLoopback),
                .optionSet(socket, .reusePort(true)),
                .bound(socket, to: bound),
                .listened(socket, backlog: 16),
                .shutDown(socket, .both),
                .closed(socket),
            ]
        )
        #expect(driver.journal == driver.events(on: socket))
        #expect(driver.descriptor(socket)?.state == .closed)
        #expect(driver.descriptor(socket)?.shutDown == .both)
        #expect(driver.descriptor(socket)?.options == [.reusePort(true)])
        #expect(driver.openDescriptors.isEmpty)
    }

    @Test func failsTheNextCallOnly() throws {
        let socket = try driver.openStreamSocket(for: scriptedLoopback)
        driver.failNext(.bind, with: .addressInUse)
        let error = #expect(throws: IOError.self) { try driver.bind(socket, to: scriptedLoopback) }
        #expect(error?.errno == .addressInUse)
        #expect(error?.operation == .bind)
        #expect(driver.journal.last == .refused(.bind, .addressInUse))
        try driver.bind(socket, to: scriptedLoopback)
        driver.failNext(.shutdown, with: .notConnected)
        #expect(driver.shutdown(socket, .output) == .notConnected)
        driver.failNext(.openSocket, with: .tooManyFiles)
        #expect(throws: IOError.self) { try driver.openStreamSocket(for: scriptedLoopback) }
    }

    @Test func refusesWhatAKernelRefuses() throws {
        let socket = try driver.openStreamSocket(for: scriptedLoopback)
        #expect(throws: IOError.self) { try driver.peerAddress(of: socket) }
        #expect(driver.shutdown(socket, .output) == .notConnected)
        try driver.bind(socket, to: scriptedLoopback)
        #expect(throws: IOError.self) { try driver.bind(socket, to: scriptedLoopback) }
        #expect(driver.violations.isEmpty)
    }

    @Test mutating func answersTheOutputState() throws {
        let peer = driver.makeConnection()
        let bytes = ScriptedBytes([1, 2, 3])
        driver.send(tokens.next(.send), on: peer, bytes: bytes.readOnly)
        try driver.submitAndWait(.poll)
        driver.completeSend(on: peer, .short(2))
        #expect(driver.outputState(of: peer).acknowledgedBytes == 2)
        let chosen = OutputState(unacknowledgedBytes: 5, acknowledgedBytes: nil)
        driver.setOutputState(chosen, of: peer)
        #expect(driver.outputState(of: peer) == chosen)
    }

    @Test mutating func reportsACloseWithOperationsInFlight() throws {
        driver.trapsOnViolation = false
        let peer = driver.makeConnection()
        let token = tokens.next(.discard)
        driver.discard(token, from: peer, byteCount: 1)
        try driver.submitAndWait(.poll)
        driver.complete(token, result: 1)
        driver.close(peer)
        #expect(driver.violations == [.closedInFlight(peer, [token])], "it is not read yet")
        driver.close(peer)
        #expect(driver.violations.last == .usedWhileClosed(peer))
    }

    @Test mutating func permitsACloseOnceAllIsRead() throws {
        let peer = driver.makeConnection()
        let token = tokens.next(.discard)
        driver.discard(token, from: peer, byteCount: 1)
        try driver.submitAndWait(.poll)
        driver.complete(token, result: 1)
        _ = driver.reapAll()
        driver.close(peer)
        #expect(driver.violations.isEmpty)
    }

    @Test mutating func reportsTheUseOfAForeignNumber() throws {
        driver.trapsOnViolation = false
        let foreign = Descriptor(rawValue: 3)
        driver.discard(tokens.next(.discard), from: foreign, byteCount: 1)
        #expect(throws: IOError.self) { try driver.listen(on: foreign, backlog: 1) }
        let expected = [ScriptedViolation](repeating: .usedWhileClosed(foreign), count: 2)
        #expect(driver.violations == expected)
    }

    @Test func handsOutTheLowestClosedNumberWhenAsked() throws {
        let first = driver.makeConnection()
        let second = driver.makeConnection()
        driver.close(first)
        #expect(driver.makeConnection() != first)
        driver.close(second)
        driver.reusesDescriptorNumbers = true
        #expect(driver.makeConnection() == first)
        #expect(driver.makeConnection() == second)
        #expect(driver.makeConnection().rawValue == second.rawValue + 2)
    }

    @Test mutating func shutsDownToZeroAndClosesUnreadConnections() throws {
        let memory = try ScriptedPool()
        try driver.publishAll(of: memory.region)
        let listener = try driver.openStreamSocket(for: scriptedLoopback)
        driver.accept(tokens.next(.accept), on: listener, isMultishot: true)
        try driver.submitAndWait(.poll)
        let unread = driver.acceptConnection(on: listener)
        driver.discard(tokens.next(.discard), from: listener, byteCount: 1)

        #expect(driver.shutDown(graceNanoseconds: 1_000) == 0)
        #expect(driver.now() == 1_000_000_000)
        #expect(driver.inFlight.isEmpty)
        #expect(driver.ownedBuffers.isEmpty)
        #expect(!driver.hasUnreadCompletions)
        #expect(driver.descriptor(unread)?.state == .closed)
        driver.close(listener)
        #expect(driver.violations.isEmpty)
    }

    @Test mutating func keepsWhatDoesNotEnd() throws {
        driver.answersCancels = false
        let peer = driver.makeConnection()
        driver.discard(tokens.next(.discard), from: peer, byteCount: 1)
        try driver.submitAndWait(.poll)
        driver.discard(tokens.next(.discard), from: peer, byteCount: 1)

        #expect(driver.shutDown(graceNanoseconds: 1_000) == 1, "the second was never handed over")
        #expect(driver.now() == 1_000_001_000)
        #expect(driver.journal.last == .ended(stuckOperations: 1))
    }

    @Test func trapsOnACloseWithOperationsInFlight() async {
        await #expect(processExitsWith: .failure) {
            var tokens = ScriptedTokens()
            let driver = ScriptedDriver()
            let peer = driver.makeConnection()
            driver.discard(tokens.next(.discard), from: peer, byteCount: 1)
            driver.close(peer)
        }
    }
}
