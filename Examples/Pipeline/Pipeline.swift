import Glibc
import UringCore

/// Feeds a process and reads from it at the same time, and runs others to their end: `Pipeline`
@main
enum Pipeline {
    static func main() async throws {
        var configuration = try Configuration.fromEnvironment()
        configuration.coreCount = 1
        try await Supervisor(configuration: configuration).run { shard in
            try await sorted(on: shard)
            try await outputs(on: shard)
        }
    }

    /// Both ends of a pipeline at once: whoever wrote everything first would wait for ever.
    private static func sorted(on shard: Shard) async throws {
        var sort = ProcessCommand("sort", ["-n"])
        sort.standardInput = .pipe
        sort.standardOutput = .pipe
        try await shard.withProcess(sort) { process in
            guard let input = process.standardInput, let output = process.standardOutput else { return }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for number in (1...1_000).reversed() {
                        try await input.write(Array("\(number)\n".utf8))
                    }
                    try input.finish()
                }
                var lines: [String] = []
                for try await line in output.lines() { lines.append(line) }
                try await group.waitForAll()
                print("sorted \(lines.count), from \(lines.first ?? "") to \(lines.last ?? "")")
            }
        }
    }

    /// To the end, with limits; a timeout ends the process and all that it started.
    private static func outputs(on shard: Shard) async throws {
        let hello = try await shard.run(.shell("tr a-z A-Z"), input: Array("hello".utf8))
        print("\(String(decoding: hello.output, as: UTF8.self)), \(hello.status)")
        var limits = ProcessLimits()
        limits.timeout = .milliseconds(50)
        do {
            _ = try await shard.run(ProcessCommand("sleep", ["3600"]), limits: limits)
        } catch {
            print(error.reason == .deadlineExceeded ? "an hour was too long" : "\(error)")
        }
        do {
            _ = try await shard.run(ProcessCommand("no-such-program"))
        } catch {
            print(error.errno == .notFound ? "no such program" : "\(error)")
        }
    }
}
