import Glibc
import Testing

/// A server without work asks nothing of the machine, however many shards it has.
@Suite("An idle server", .enabled(if: Programs.has("strace"), "strace is not installed"))
struct IdleTests {
    @Test func doesNotEnterTheKernel() throws {
        let server = try EchoProcess()
        let peers = try server.peer("hold.py", "--idle", "1000")
        _ = try peers.lines(until: "held")

        // Attaching interrupts each shard's wait under way, so that one is begun again; then it lasts.
        let enters = try enters(of: server.process.pid, withinSeconds: 5)
        #expect(enters.count == server.lines.count, "\(enters)")

        try server.stop()
        #expect(try peers.wait() == "ended 1000\n")
    }

    @Test func doesNotTurnOnEpollEither() throws {
        let server = try EchoProcess(environment: ["URINGCORE_BACKEND": "epoll"])
        let peers = try server.peer("hold.py", "--idle", "1000")
        _ = try peers.lines(until: "held")
        // Swift's own pool turns on an epoll set too.
        let shards = try shardThreads(of: server.process.pid).map { "[pid \($0)] epoll_" }
        #expect(shards.count == server.lines.count)
        let waits = try calls("epoll_", of: server.process.pid, withinSeconds: 5).filter { line in
            shards.contains { line.hasPrefix($0) }
        }
        #expect(waits.count <= shards.count, "\(waits)")
        try server.stop()
        #expect(try peers.wait() == "ended 1000\n")
    }

    /// What the tests above rely on: calls would be seen.
    @Test func isToldFromABusyOne() throws {
        let server = try EchoProcess(environment: ["URINGCORE_DRAIN_MS": "0"])
        let peers = try server.peer("hold.py", "--flowing", "1")
        _ = try peers.lines(until: "held")
        #expect(try enters(of: server.process.pid, withinSeconds: 1).count > 10)
        try server.stop()
    }

    /// The calls of io_uring_enter(2) that a process begins while strace looks on, a line each.
    private func enters(of pid: pid_t, withinSeconds seconds: Int) throws -> [String] {
        try calls("io_uring_enter(", of: pid, withinSeconds: seconds)
    }

    /// The numbers of the threads that are named as shards are.
    private func shardThreads(of pid: pid_t) throws -> [String] {
        let names = ["sh", "-c", "grep -l '^uring-[0-9]' /proc/\(pid)/task/*/comm"]
        let lines = try ChildProcess(names).wait().split(separator: "\n")
        return lines.map { line in String(line.split(separator: "/").dropLast().last ?? "") }
    }

    private func calls(
        _ name: String,
        of pid: pid_t,
        withinSeconds seconds: Int
    ) throws -> [String] {
        let watcher = try ChildProcess(["timeout", "\(seconds)", "strace", "-f", "-p", "\(pid)"])
        _ = try watcher.wait()
        #expect(watcher.end == .status(124), "\(watcher.errorText)")
        #expect(watcher.errorText.contains("attached"))
        return watcher.errorLines.filter { $0.contains(name) }
    }
}
