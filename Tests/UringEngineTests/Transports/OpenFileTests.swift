import Glibc
import Testing
import UringTesting

@testable import UringEngine

/// Files on a scripted kernel: orders and results that a real one gives seldom.
@Suite struct OpenFileTests {
    private func open(_ fixture: LoopFixture) throws -> OpenFile {
        var file: OpenFile?
        try fixture.loop.openFile("/file", options: .init(access: .readWrite, creation: .never)) {
            file = try? $0.get()
        }
        #expect(file == nil, "never before the verb has returned")
        try fixture.settle()
        let opening = try #require(
            fixture.driver.fileOperation { if case .open = $0 { true } else { false } }
        )
        #expect(opening.verb == .file(nil, .open("/file", flags: O_RDWR)))
        fixture.driver.completeOpen(opening.token)
        try fixture.settle()
        return try #require(file)
    }

    private func close(_ file: OpenFile, _ fixture: LoopFixture) throws {
        var isClosed = false
        file.close { _ in isClosed = true }
        try fixture.settle()
        let closing = try #require(fixture.driver.fileOperation { $0 == .close })
        fixture.driver.complete(closing.token, result: 0)
        try fixture.settle()
        #expect(isClosed)
        expectNothing(fixture)
    }

    private func expectNothing(_ fixture: LoopFixture) {
        let metrics = fixture.loop.metrics
        #expect(metrics.operationsInFlight == 0 && metrics.descriptors == 0)
        #expect(metrics.buffersLent == 0 && metrics.staleCompletions == 0)
        #expect(fixture.loop.fileCalls.count == 0 && fixture.loop.timers.count == 0)
        #expect(fixture.driver.violations.isEmpty)
        #expect(fixture.driver.openDescriptors.isEmpty)
        fixture.loop.shutDown()
    }

    /// Results of reads and writes, in the order in which they came.
    private final class Answers {
        var bytes: [[UInt8]?] = []
        var errors: [IOError] = []
        var writes = 0
    }

    @discardableResult
    private func read(_ file: OpenFile, at offset: UInt64, _ answers: Answers) throws -> FileCall {
        try file.read(at: offset, byteCount: 4) { result in
            switch consume result {
            case .success(.some(let bytes)): answers.bytes.append(bytes.copyToArray())
            case .success(.none): answers.bytes.append(nil)
            case .failure(let error): answers.errors.append(error)
            }
        }
    }

    @discardableResult
    private func write(_ file: OpenFile, _ bytes: [UInt8], _ answers: Answers) throws -> FileCall {
        try file.write(OwnedBytes(copying: bytes.span.bytes), at: 100) { result in
            switch result {
            case .success: answers.writes += 1
            case .failure(let error): answers.errors.append(error)
            }
        }
    }

    private func reads(at offset: UInt64, _ fixture: LoopFixture) -> OperationToken? {
        fixture.driver.fileOperation { verb in
            if case .read(_, let place) = verb { place == offset } else { false }
        }?
        .token
    }

    @Test func answersInTheOrderOfTheKernel() throws {
        let fixture = try LoopFixture()
        let file = try open(fixture)
        let answers = Answers()
        for offset in [0, 10, 20] as [UInt64] { try read(file, at: offset, answers) }
        try fixture.settle()
        for offset in [20, 0, 10] as [UInt64] {
            let token = try #require(reads(at: offset, fixture))
            fixture.driver.completeRead(token, offset == 0 ? [] : [UInt8(offset)])
            try fixture.settle()
        }
        #expect(answers.bytes == [[20], nil, [10]])
        try close(file, fixture)
    }

    /// A short write goes on behind what was taken; what only says "again" is asked again.
    @Test func writesEverything() throws {
        let fixture = try LoopFixture()
        let file = try open(fixture)
        let answers = Answers()
        try write(file, [1, 2, 3, 4, 5], answers)
        let steps: [(rest: [UInt8], offset: UInt64, result: Int32)] = [
            ([1, 2, 3, 4, 5], 100, -EINTR), ([1, 2, 3, 4, 5], 100, 2), ([3, 4, 5], 102, -EAGAIN),
            ([3, 4, 5], 102, 1), ([4, 5], 103, 2),
        ]
        for step in steps {
            try fixture.settle()
            // A pause follows an EAGAIN.
            if fixture.driver.fileOperation(where: { _ in true }) == nil {
                try fixture.advance(by: .milliseconds(1))
            }
            let wanted = ScriptedFileVerb.write(bytes: step.rest, offset: step.offset)
            let operation = try #require(fixture.driver.fileOperation { $0 == wanted })
            fixture.driver.complete(operation.token, result: step.result)
        }
        try fixture.settle()
        #expect(answers.writes == 1)
        try close(file, fixture)
    }

    @Test func aWriteThatTakesNothingFails() throws {
        let fixture = try LoopFixture()
        let file = try open(fixture)
        let answers = Answers()
        try write(file, [1, 2], answers)
        try fixture.settle()
        let token = try #require(fixture.driver.fileOperation { _ in true }).token
        fixture.driver.complete(token, result: 0)
        try fixture.settle()
        #expect(answers.errors.first?.errno == .inputOutput)
        try close(file, fixture)
    }

    /// A cancelled read keeps its memory until the kernel is done with it.
    @Test func aCancelledReadEndsWithItsCompletion() throws {
        let fixture = try LoopFixture(ScriptedDriver(answersCancels: false))
        let file = try open(fixture)
        let answers = Answers()
        let call = try read(file, at: 0, answers)
        try fixture.settle()
        call.cancel()
        try fixture.settle()
        #expect(answers.errors.isEmpty)
        #expect(fixture.loop.metrics.buffersLent == 1)
        let cancel = try #require(fixture.driver.inFlight.first { $0.kind == .cancel })
        fixture.driver.complete(cancel.token, result: -EALREADY)
        let token = try #require(reads(at: 0, fixture))
        // A worker that was interrupted: that is no reason to ask again.
        fixture.driver.complete(token, result: -EINTR)
        try fixture.settle()
        #expect(answers.errors.first?.reason == .cancelled)
        #expect(fixture.loop.metrics.buffersLent == 0)
        fixture.driver.answersCancels = true
        try close(file, fixture)
    }

    /// A close that says EINTR has closed: asked again it would close another's descriptor.
    @Test(arguments: [0, -EINTR, -EIO]) func closesOnce(result: Int32) throws {
        let fixture = try LoopFixture()
        let file = try open(fixture)
        var outcome: Result<Void, IOError>?
        file.close { outcome = $0 }
        try fixture.settle()
        let closing = try #require(fixture.driver.fileOperation { $0 == .close })
        fixture.driver.complete(closing.token, result: result)
        try fixture.settle()
        #expect(fixture.driver.fileOperation { $0 == .close } == nil)
        if result == -EIO {
            #expect(throws: IOError.self) { try outcome?.get() }
            // The script keeps a descriptor open whose close failed.
        } else {
            #expect(throws: Never.self) { try outcome?.get() }
        }
        #expect(fixture.loop.metrics.descriptors == 0)
    }

    /// Nothing is closed while something is in flight, and what waits its turn still gets it.
    @Test func closesBehindWhatWasAsked() throws {
        let fixture = try LoopFixture(configure: { $0.limits.operationsPerFileMax = 1 })
        let file = try open(fixture)
        let answers = Answers()
        try read(file, at: 0, answers)
        try read(file, at: 10, answers)
        file.close()
        try fixture.settle()
        for offset in [0, 10] as [UInt64] {
            #expect(fixture.driver.fileOperation { $0 == .close } == nil)
            fixture.driver.completeRead(try #require(reads(at: offset, fixture)), [1])
            try fixture.settle()
        }
        #expect(answers.bytes == [[1], [1]])
        try close(file, fixture)
    }

    /// An open that won against its cancel is handed over, and no descriptor is lost.
    @Test func anOpenThatWonIsHandedOver() throws {
        let fixture = try LoopFixture(ScriptedDriver(answersCancels: false))
        var file: OpenFile?
        let call = try fixture.loop.openFile("/file") { file = try? $0.get() }
        try fixture.settle()
        call.cancel()
        try fixture.settle()
        let opening = try #require(fixture.driver.fileOperation { _ in true })
        fixture.driver.completeOpen(opening.token)
        let cancel = try #require(fixture.driver.inFlight.first { $0.kind == .cancel })
        fixture.driver.complete(cancel.token, result: -ENOENT)
        try fixture.settle()
        fixture.driver.answersCancels = true
        try close(try #require(file), fixture)
    }

    /// What the driver does not do goes to the offload, and comes back by the inbox.
    @Test func asksTheOffload() throws {
        final class Work: @unchecked Sendable { var all: [@Sendable () -> Void] = [] }
        let work = Work()
        let fixture = try LoopFixture(configure: {
            $0.offload = { body in
                work.all.append(body)
                return work.all.count != 1
            }
        })
        fixture.driver.performsFiles = false
        var answer: Result<FileAttributes, IOError>?
        try fixture.loop.fileAttributes("/") { answer = $0 }
        try fixture.settle()
        #expect(work.all.count == 1, "refused, and not asked again at once")
        try fixture.advance(by: .milliseconds(1))
        #expect(work.all.count == 2)
        #expect(answer == nil)
        work.all[1]()
        try fixture.settle()
        #expect(try answer?.get().kind == .directory)
        work.all = []
        expectNothing(fixture)
    }
}
