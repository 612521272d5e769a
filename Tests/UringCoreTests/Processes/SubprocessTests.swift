import Foundation
import Glibc
import Testing

@testable import UringCore
@testable import UringEngine

/// Processes in async code.
@Suite("Processes", .serialized) struct SubprocessTests {
    @Test func runToTheirEndWithTheirOutput() async throws {
        try await withShards { run in
            let result = try await run.on { shard in
                try await shard.run(.shell("cat; echo err >&2; exit 3"), input: Array("in".utf8))
            }
            #expect(result.status == .exited(3))
            #expect(result.output == Array("in".utf8))
            #expect(result.error == Array("err\n".utf8))
        }
    }

    @Test func giveLargeInputBackWhole() async throws {
        let input = (0..<2_000_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        try await withShards { run in
            let result = try await run.on { try await $0.run(ProcessCommand("cat"), input: input) }
            #expect(result.status.isSuccess)
            #expect(result.output == input)
        }
    }

    @Test func mayLeaveTheirInput() async throws {
        try await withShards { run in
            let input = [UInt8](repeating: 1, count: 1 << 20)
            let result = try await run.on {
                try await $0.run(.shell("exec 0<&-; echo done"), input: input)
            }
            #expect(result.output == Array("done\n".utf8))
        }
    }

    private func failure(
        _ run: ShardedRun,
        _ command: ProcessCommand,
        _ limits: ProcessLimits
    ) async throws -> IOError? {
        try await run.on { shard in
            do {
                _ = try await shard.run(command, limits: limits)
                return nil
            } catch let error as IOError {
                return error
            }
        }
    }

    /// With a group of its own nothing of it is left.
    @Test func areEndedAtTheirTimeout() async throws {
        try await withShards { run in
            var limits = ProcessLimits()
            limits.timeout = .milliseconds(50)
            limits.grace = .milliseconds(50)
            var command = ProcessCommand.shell("trap '' TERM; while :; do sleep 1000; done")
            command.grouping = .own
            let error = try await failure(run, command, limits)
            #expect(error?.reason == .deadlineExceeded)
            #expect(error.map { "\($0)".contains("/bin/sh") } == true)
        }
    }

    /// The process has ended when the call throws, as with a timeout of its own.
    @Test func endWithTheDeadlineOfTheirScope() async throws {
        try await withShards { run in
            let error = try await run.on { shard in
                await #expect(throws: IOError.self) {
                    try await shard.withTimeout(.milliseconds(20)) {
                        _ = try await shard.run(.shell("exec sleep 1000"))
                    }
                }
            }
            #expect(error?.reason == .deadlineExceeded)
        }
    }

    /// The scope of a process waits for its end also when there is no time left to wait.
    @Test func haveEndedAfterTheirScopeWhoseDeadlineHasPassed() async throws {
        try await withShards { run in
            let left = try await run.on { shard in
                try await shard.withDeadline(Deadline(nanoseconds: 0)) {
                    try await shard.withProcess(.shell("exec sleep 1000")) { _ in }
                    return shard.state.processes.inOrder.count
                }
            }
            #expect(left == 0)
        }
    }

    /// What it has started holds its output open; nobody waits for that.
    @Test func areNotWaitedForByWhatTheyLeave() async throws {
        try await withShards { run in
            var limits = ProcessLimits()
            limits.timeout = .milliseconds(200)
            let error = try await failure(run, .shell("sleep 5 & exit 0"), limits)
            #expect(error?.reason == .deadlineExceeded)
        }
    }

    /// In a group of its own that is ended, although the process that led it is gone.
    @Test func takeWhatTheyLeaveWithThem() async throws {
        let note = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: note) }
        try await withShards { run in
            var limits = ProcessLimits()
            limits.timeout = .milliseconds(200)
            var command = ProcessCommand.shell("sleep 1000 & echo $! > $0; exit 0", [note.path])
            command.grouping = .own
            let error = try await failure(run, command, limits)
            #expect(error?.reason == .deadlineExceeded)
        }
        let number = try String(contentsOf: note, encoding: .utf8).dropLast()
        try await eventually("what it left has ended") {
            let line = try? String(contentsOfFile: "/proc/\(number)/stat", encoding: .utf8)
            return line?.contains(") Z ") ?? true
        }
    }

    @Test func mayNotWriteMoreThanTheirLimit() async throws {
        try await withShards { run in
            var limits = ProcessLimits()
            limits.outputBytesMax = 1_000
            let endless = try await failure(run, .shell("while :; do echo more; done"), limits)
            #expect(endless?.reason == .limitExceeded)
            let exact = try await run.on { [limits] in
                try await $0.run(.shell("head -c 1000 /dev/zero"), limits: limits)
            }
            #expect(exact.output.count == 1_000)
        }
    }

    @Test func areRefusedByName() async throws {
        try await withShards { run in
            let error = try await failure(run, ProcessCommand("/no/such"), ProcessLimits())
            #expect(error?.errno == .notFound)
            #expect(error?.operation == .spawn)
        }
    }

    @Test func endWithTheTaskThatRunsThem() async throws {
        try await withShards { run in
            let began = EventGate()
            let task = run.task { shard in
                began.open()
                return try await shard.run(ProcessCommand("sleep", ["1000"]))
            }
            try await began.opened("the task")
            task.cancel()
            let error = await #expect(throws: IOError.self) { _ = try await task.value }
            #expect(error?.reason == .cancelled)
        }
    }

    @Test func haveConnectionsForStreams() async throws {
        try await withShards { run in
            let (echoed, status) = try await run.on { shard in
                var command = ProcessCommand("cat")
                command.standardInput = .pipe
                command.standardOutput = .pipe
                return try await shard.withProcess(command) { process in
                    guard let input = process.standardInput,
                        let output = process.standardOutput
                    else { throw IOError(.spawn, reason: .closed) }
                    var echoed: [UInt8] = []
                    for round in 0..<5 {
                        try await input.write([UInt8(round)])
                        echoed += try await output.read()?.copyToArray() ?? []
                    }
                    try input.finish()
                    #expect(try await output.read() == nil)
                    return (echoed, try await process.untilExit())
                }
            }
            #expect(echoed == [0, 1, 2, 3, 4])
            #expect(status == .exited(0))
        }
    }

    @Test func endWithTheirScope() async throws {
        struct Oops: Error {}
        try await withShards { run in
            let processID = try await run.on { shard in
                try await shard.withProcess(ProcessCommand("sleep", ["1000"])) { $0.processID }
            }
            #expect(kill(processID, 0) < 0 && errno == ESRCH)
            let numbers = SharedList<Int32>()
            _ = try await run.on { shard in
                do {
                    try await shard.withProcess(ProcessCommand("sleep", ["1000"])) { process in
                        numbers.append(process.processID)
                        throw Oops()
                    }
                } catch is Oops {}
            }
            #expect(kill(numbers.all[0], 0) < 0 && errno == ESRCH)
        }
    }

    /// Several tasks wait for one end, one of them not for long.
    @Test func tellEveryTaskThatWaits() async throws {
        try await withShards { run in
            try await run.on { shard in
                let process = try shard.spawn(ProcessCommand("sleep", ["1000"]))
                do {
                    _ = try await process.untilExit(timeout: .milliseconds(1))
                    Issue.record("it runs")
                } catch let error as IOError {
                    #expect(error.reason == .deadlineExceeded)
                }
                let statuses = try await withThrowingTaskGroup(of: ProcessStatus.self) { group in
                    for _ in 0..<3 { group.addTask { try await process.untilExit() } }
                    try await shard.sleep(for: .milliseconds(1))
                    try process.send(signal: SIGINT)
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(statuses == Array(repeating: .signalled(SIGINT), count: 3))
            }
        }
    }

    @Test func areKilledWithTheirShard() async throws {
        let numbers = SharedList<Int32>()
        try await withShards { run in
            try await run.on { shard in
                var command = ProcessCommand("sleep", ["1000"])
                command.standardOutput = .pipe
                numbers.append(try shard.spawn(command).processID)
            }
            run.drain()
            try await run.awaitEnd()
        }
        #expect(kill(numbers.all[0], 0) < 0 && errno == ESRCH)
    }
}
