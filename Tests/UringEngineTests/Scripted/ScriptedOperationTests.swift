import CUring
import Glibc
import Testing
import UringEngine
import UringTesting

@Suite struct ScriptedOperationTests {
    private let driver = ScriptedDriver()
    private var tokens = ScriptedTokens()

    @Test mutating func recordsEachVerbWithItsArguments() throws {
        let peer = driver.makeConnection()
        let target = tokens.next(.receive)
        driver.accept(tokens.next(.accept), on: peer, isMultishot: true)
        driver.receive(target, from: peer, byteBudget: 65_536, waitForReadiness: true)
        driver.discard(tokens.next(.discard), from: peer, byteCount: 9)
        driver.poll(tokens.next(.poll), on: peer, events: .readable, isMultishot: true)
        driver.cancel(tokens.next(.cancel), target: target)

        #expect(
            driver.operations.map(\.verb) == [
                .accept(peer),
                .receive(peer, byteBudget: 65_536, waitForReadiness: true),
                .discard(peer, byteCount: 9),
                .poll(peer, events: .readable, isMultishot: true),
                .cancel(target: target),
            ]
        )
    }

    @Test mutating func readsTheAddressOfAConnect() throws {
        let socket = try driver.openStreamSocket(for: scriptedLoopback)
        let peer = SocketAddress.ipv4(0x0A00_0001, port: 80)
        var form = cu_address()
        try peer.store(in: &form)
        let token = tokens.next(.connect)
        try withUnsafePointer(to: &form) { address in
            driver.connect(token, on: socket, to: address)
            try driver.submitAndWait(.poll)
            driver.complete(token, result: 0)
        }

        #expect(driver.operation(token)?.verb == .connect(socket, to: peer))
        #expect(driver.descriptor(socket)?.state == .connected)
        #expect(try driver.peerAddress(of: socket) == peer)
        #expect(try driver.localAddress(of: socket).port != 0)
    }

    @Test mutating func recordsTheRunsOfAMessage() throws {
        let peer = driver.makeConnection()
        let first = ScriptedBytes([1, 2])
        let second = ScriptedBytes([3])
        var runs = [
            iovec(iov_base: first.memory.baseAddress, iov_len: 2),
            iovec(iov_base: second.memory.baseAddress, iov_len: 1),
        ]
        let token = tokens.next(.send)
        try runs.withUnsafeMutableBufferPointer { runs in
            var message = cu_message()
            message.header.msg_iov = runs.baseAddress
            message.header.msg_iovlen = runs.count
            try withUnsafeMutablePointer(to: &message) { message in
                driver.sendMessage(token, on: peer, message: message)
                try driver.submitAndWait(.poll)
                driver.completeSend(on: peer, .short(2))
            }
        }

        #expect(driver.operation(token)?.verb == .sendMessage(peer, runs: [[1, 2], [3]]))
        #expect(driver.sentBytes(on: peer) == [1, 2])
    }

    @Test mutating func movesFromPreparedToFinished() throws {
        let peer = driver.makeConnection()
        let token = tokens.next(.discard)
        driver.discard(token, from: peer, byteCount: 1)
        #expect(driver.operation(token)?.state == .prepared)
        try driver.submitAndWait(.poll)
        #expect(driver.operation(token)?.state == .handedOver)
        driver.complete(token, result: 1)
        #expect(driver.operation(token)?.state == .answered)
        #expect(driver.inFlight.isEmpty)
        _ = driver.reapAll()
        #expect(driver.operation(token)?.state == .finished)
        #expect(driver.operation(token)?.results == [1])
    }

    @Test mutating func findsOperationsByKindAndDescriptor() throws {
        let one = driver.makeConnection()
        let other = driver.makeConnection()
        let tokens = [self.tokens.next(.poll), self.tokens.next(.poll), self.tokens.next(.poll)]
        for (token, descriptor) in zip(tokens, [one, other, one]) {
            driver.poll(token, on: descriptor, events: .readable, isMultishot: false)
        }
        try driver.submitAndWait(.poll)
        driver.complete(tokens[0], result: 1)

        #expect(driver.operations(of: .poll).map(\.token) == tokens)
        #expect(driver.operations(of: .poll, on: one).map(\.token) == [tokens[0], tokens[2]])
        #expect(driver.lastOperation(of: .poll, on: other)?.token == tokens[1])
        #expect(driver.inFlight(of: .poll, on: one).map(\.token) == [tokens[2]])
        #expect(driver.lastOperation(of: .send) == nil)
    }

    @Test mutating func seesMemoryThatChangesInFlight() throws {
        driver.trapsOnViolation = false
        let peer = driver.makeConnection()
        let bytes = ScriptedBytes([1, 2, 3])
        let token = tokens.next(.send)
        driver.send(token, on: peer, bytes: bytes.readOnly)
        try driver.submitAndWait(.poll)
        #expect(driver.isMemoryUnchanged(of: token))
        bytes.memory[1] = 9
        #expect(!driver.isMemoryUnchanged(of: token))
        driver.completeSend(on: peer)

        #expect(driver.violations == [.changedMemory(token)])
        #expect(driver.sentBytes(on: peer) == [1, 2, 3])
        #expect(driver.isMemoryUnchanged(of: token), "the memory is the loop's again")
    }

    @Test mutating func reportsASecondSendAndASecondUseOfAToken() throws {
        driver.trapsOnViolation = false
        let peer = driver.makeConnection()
        let bytes = ScriptedBytes([1])
        let token = tokens.next(.send)
        driver.send(token, on: peer, bytes: bytes.readOnly)
        driver.send(token, on: peer, bytes: bytes.readOnly)
        #expect(driver.violations == [.reusedToken(token), .overlappingSends(peer)])
    }

    @Test mutating func permitsTheNextSendOnceTheFirstWasRead() throws {
        let peer = driver.makeConnection()
        let bytes = ScriptedBytes([1, 2])
        driver.send(tokens.next(.send), on: peer, bytes: bytes.readOnly)
        try driver.submitAndWait(.poll)
        driver.completeSend(on: peer)
        _ = driver.reapAll()
        driver.send(tokens.next(.send), on: peer, bytes: bytes.readOnly)
        #expect(driver.violations.isEmpty)
    }

    @Test func trapsWhenATokenCarriesAnotherKind() async {
        await #expect(processExitsWith: .failure) {
            var tokens = ScriptedTokens()
            let driver = ScriptedDriver()
            driver.accept(tokens.next(.poll), on: driver.makeConnection(), isMultishot: true)
        }
    }
}
