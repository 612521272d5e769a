import Testing
import UringEngine
import UringTesting

@Suite struct ScriptedCompletionTests {
    private let driver = ScriptedDriver()
    private var tokens = ScriptedTokens()

    private mutating func polls(_ count: Int) throws -> [OperationToken] {
        let peer = driver.makeConnection()
        let made = (0..<count).map { _ in tokens.next(.poll) }
        for token in made {
            driver.poll(token, on: peer, events: .readable, isMultishot: true)
        }
        try driver.submitAndWait(.poll)
        return made
    }

    @Test mutating func handsCompletionsOutInTheOrderOfTheScript() throws {
        let polls = try polls(3)
        driver.complete(polls[2], result: 1, isTerminal: false)
        driver.fail(polls[0], with: .connectionReset)
        driver.complete(polls[2], result: 4)

        let seen = driver.reapAll()
        #expect(seen.map(\.token) == [polls[2], polls[0], polls[2]])
        #expect(seen.map(\.result) == [1, -Errno.connectionReset.rawValue, 4])
        #expect(seen.map(\.isTerminal) == [false, true, true])
        #expect(driver.inFlight.map(\.token) == [polls[1]])
        #expect(driver.metrics.completions == 3)
    }

    @Test mutating func fillsOnlyTheRoomOfABatch() throws {
        let polls = try polls(3)
        for token in polls { driver.complete(token, result: 1) }
        var batch = CompletionBatch(capacity: 2)
        driver.reap(into: &batch)
        #expect(batch.count == 2)
        #expect(driver.hasUnreadCompletions)
        #expect(driver.operation(polls[2])?.state == .answered)
        driver.reap(into: &batch)
        #expect(driver.hasUnreadCompletions, "a full batch takes nothing")
        batch.removeAll()
        driver.reap(into: &batch)
        #expect(batch[0].token == polls[2])
        #expect(!driver.hasUnreadCompletions)
    }

    @Test mutating func isNotOverUntilTheTerminalCompletionIsRead() throws {
        let polls = try polls(1)
        driver.complete(polls[0], result: 1, isTerminal: false)
        driver.complete(polls[0], result: 1)
        var batch = CompletionBatch(capacity: 1)
        driver.reap(into: &batch)
        #expect(driver.operation(polls[0])?.state == .answered)
    }

    @Test mutating func queuesStaleTokensWhenAsked() throws {
        let polls = try polls(1)
        driver.complete(polls[0], result: 1)
        _ = driver.reapAll()
        let unknown = tokens.next(.receive)
        driver.complete(polls[0], result: 2, allowStale: true)
        driver.fail(unknown, with: .noBuffers, allowStale: true)

        #expect(driver.reapAll().map(\.token) == [polls[0], unknown])
        #expect(driver.operation(polls[0])?.results == [1])
        #expect(driver.operation(unknown) == nil)
    }

    @Test mutating func answersACancelWithItsTargetFirst() throws {
        let polls = try polls(1)
        let cancel = tokens.next(.cancel)
        driver.cancel(cancel, target: polls[0])
        #expect(driver.reapAll().isEmpty, "a cancel that is not handed over does nothing")
        try driver.submitAndWait(.poll)

        let seen = driver.reapAll()
        #expect(seen.map(\.token) == [polls[0], cancel])
        #expect(seen.map(\.result) == [-Errno.cancelled.rawValue, 0])
        #expect(driver.operation(polls[0])?.isCancelRequested == true)
    }

    @Test mutating func answersACancelOfAFinishedOperationWithNotFound() throws {
        let polls = try polls(1)
        driver.complete(polls[0], result: 1)
        driver.cancel(tokens.next(.cancel), target: polls[0])
        try driver.submitAndWait(.poll)
        #expect(driver.reapAll().map(\.result) == [1, -Errno.notFound.rawValue])
    }

    @Test mutating func leavesCancelsToTheTestWhenToldTo() throws {
        driver.answersCancels = false
        let polls = try polls(1)
        let cancel = tokens.next(.cancel)
        driver.cancel(cancel, target: polls[0])
        try driver.submitAndWait(.poll)
        #expect(driver.inFlight.map(\.token) == [polls[0], cancel])
        driver.fail(cancel, with: .already)
        driver.complete(polls[0], result: 1)
        #expect(driver.inFlight.isEmpty)
    }

    @Test mutating func countsAZeroCopySendOnce() throws {
        let peer = driver.makeConnection()
        let bytes = ScriptedBytes([1, 2, 3])
        let token = tokens.next(.send)
        driver.sendZeroCopy(token, on: peer, bytes: bytes.readOnly)
        try driver.submitAndWait(.poll)
        driver.complete(token, result: 2, isTerminal: false, buffersReleased: false)
        #expect(driver.inFlight.map(\.token) == [token])
        driver.complete(token, result: 0)

        #expect(driver.sentBytes(on: peer) == [1, 2])
        #expect(driver.reapAll().map(\.buffersReleased) == [false, true])
    }

    @Test mutating func acceptsUntilTold() throws {
        let listener = try driver.openStreamSocket(for: scriptedLoopback)
        try driver.bind(listener, to: scriptedLoopback)
        try driver.listen(on: listener, backlog: 8)
        driver.accept(tokens.next(.accept), on: listener, isMultishot: true)
        try driver.submitAndWait(.poll)
        let first = driver.acceptConnection(on: listener)
        let second = driver.acceptConnection(on: listener, isTerminal: true)

        #expect(driver.reapAll().map(\.result) == [first.rawValue, second.rawValue])
        #expect(driver.inFlight.isEmpty)
        #expect(driver.openDescriptors == [listener, first, second])
        #expect(try driver.localAddress(of: first) == driver.localAddress(of: listener))
    }

    @Test mutating func letsAPeerReactAtTheHandOver() throws {
        let peer = driver.makeConnection()
        let bytes = ScriptedBytes([7])
        driver.onHandOver = { operation, driver in
            if operation.kind == .send { driver.completeSend(on: peer) }
        }
        driver.send(tokens.next(.send), on: peer, bytes: bytes.readOnly)
        try driver.submitAndWait(.forever)
        #expect(driver.sentBytes(on: peer) == [7])
    }

    @Test func trapsOnACompletionBeforeTheHandOver() async {
        await #expect(processExitsWith: .failure) {
            var tokens = ScriptedTokens()
            let driver = ScriptedDriver()
            let token = tokens.next(.discard)
            driver.discard(token, from: driver.makeConnection(), byteCount: 1)
            driver.complete(token, result: 1)
        }
    }

    @Test func trapsOnASecondTerminalCompletion() async {
        await #expect(processExitsWith: .failure) {
            var tokens = ScriptedTokens()
            let driver = ScriptedDriver()
            let token = tokens.next(.discard)
            driver.discard(token, from: driver.makeConnection(), byteCount: 1)
            try driver.submitAndWait(.poll)
            driver.complete(token, result: 1)
            driver.complete(token, result: 1)
        }
    }

    @Test func trapsWhenAOneShotOperationWouldGoOn() async {
        await #expect(processExitsWith: .failure) {
            var tokens = ScriptedTokens()
            let driver = ScriptedDriver(capabilities: Capabilities())
            let token = tokens.next(.poll)
            let peer = driver.makeConnection()
            driver.poll(token, on: peer, events: .readable, isMultishot: true)
            try driver.submitAndWait(.poll)
            driver.complete(token, result: 1, isTerminal: false)
        }
    }
}
