import Foundation
import Glibc
import Synchronization
import Testing

/// A program that a test runs: its output line by line, its complaints, and how it ends.
///
/// Every wait is for an event, with a deadline so generous that only a program that stands still meets it. What is
/// still running when the last reference goes is killed, with all that it started.
final class ChildProcess {
    /// How a program ended.
    enum End: Equatable {
        case status(Int32)
        case signal(Int32)
    }

    /// What went wrong with the program, rather than with what it is tested for.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    static let patience = Duration.seconds(100)

    let pid: pid_t
    /// Takes the program's standard input; closing it is the end of input.
    private(set) var input: Int32
    private let output: Int32
    private let errors: Int32
    private var unread: [UInt8] = []
    private(set) var end: End?

    /// Starts `command`, looked up on PATH, with the variables of this process changed by `environment`.
    init(_ command: [String], environment: [String: String] = [:]) throws {
        let started = try Self.startLock.withLock { _ in
            try Self.start(command, environment: Self.merged(environment))
        }
        (pid, input, output, errors) = started
    }

    deinit {
        if end == nil {
            kill(-pid, SIGKILL)
            var status: Int32 = 0
            waitpid(pid, &status, 0)
        }
        closeInput()
        close(output)
        close(errors)
    }

    func send(_ signal: Int32) {
        kill(pid, signal)
    }

    /// Sends a signal again and again until the program has ended.
    func sendUntilTheEnd(_ signal: Int32) {
        let deadline = ContinuousClock.now + Self.patience
        var waiting = pollfd(fd: output, events: 0, revents: 0)  // POLLHUP comes unasked.
        repeat { send(signal) } while poll(&waiting, 1, 10) == 0 && ContinuousClock.now < deadline
    }

    func closeInput() {
        if input >= 0 { close(input) }
        input = -1
    }

    // MARK: Output

    /// The next line of standard output, or nil at its end.
    func nextLine() throws -> String? {
        let deadline = ContinuousClock.now + Self.patience
        while true {
            if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: unread[..<end], as: UTF8.self)
                unread.removeSubrange(...end)
                return line
            }
            guard try readMore(until: deadline) else { return nil }
        }
    }

    /// The lines up to one that reads `last`, without it.
    func lines(until last: String) throws -> [String] {
        var lines: [String] = []
        while let line = try nextLine() {
            if line == last { return lines }
            lines.append(line)
        }
        throw Failure(description: "no line '\(last)', but \(lines); errors: \(errorText)")
    }

    /// Waits for the end; what the program still printed is returned.
    func wait() throws -> String {
        let deadline = ContinuousClock.now + Self.patience
        while try readMore(until: deadline) {}
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        let signal = status & 0x7F
        end = signal == 0 ? .status((status >> 8) & 0xFF) : .signal(signal)
        return String(decoding: unread, as: UTF8.self)
    }

    /// All that it has written on standard error.
    var errorText: String {
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = pread(errors, &bytes, bytes.count, 0)
        return String(decoding: bytes[..<max(count, 0)], as: UTF8.self)
    }

    /// The same in lines.
    var errorLines: [String] {
        errorText.split(separator: "\n").map(String.init)
    }

    /// Those by which the tool says why it ends; the others are its log.
    var complaints: [String] {
        errorLines.filter { $0.hasPrefix("uringcore: ") }
    }

    /// Returns false at the end of standard output: no process that writes it is left.
    private func readMore(until deadline: ContinuousClock.Instant) throws -> Bool {
        var waiting = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
        let left = deadline - ContinuousClock.now
        let milliseconds = max(0, left.components.seconds * 1_000)
        guard poll(&waiting, 1, Int32(milliseconds)) > 0 else {
            throw Failure(description: "nothing happened in time; errors: \(errorText)")
        }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = read(output, &bytes, bytes.count)
        unread += bytes[..<max(count, 0)]
        return count > 0
    }

    // MARK: Starting

    /// Another thread's child, started between the opening of a pipe and its mark, would hold the pipe open.
    private static let startLock = Mutex(())

    private static func start(
        _ command: [String],
        environment: [String]
    ) throws -> (pid: pid_t, input: Int32, output: Int32, errors: Int32) {
        let input = try makePipe()
        let output = try makePipe()
        let errors = try makeFile()
        defer {
            close(input.read)
            close(output.write)
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input.read, STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output.write, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO)
        let pid = try spawn(command, environment, &actions)
        return (pid, input.write, output.read, errors)
    }

    private static func makePipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw Failure(description: "no pipe") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    /// A file, not a pipe, for what a program complains of: it can't block on a full one.
    private static func makeFile() throws -> Int32 {
        var name = Array("/tmp/uringcore-tests-XXXXXX".utf8CString)
        let file = mkstemp(&name)
        guard file >= 0 else { throw Failure(description: "no file in /tmp") }
        unlink(name)
        _ = fcntl(file, F_SETFD, FD_CLOEXEC)
        return file
    }

    private static func merged(_ changes: [String: String]) -> [String] {
        // What this process was given for itself must not tune the servers under test.
        let inherited = ProcessInfo.processInfo.environment.filter {
            !$0.key.hasPrefix("URINGCORE_")
        }
        return inherited.merging(changes) { $1 }.map { "\($0.key)=\($0.value)" }
    }

    /// The program gets a process group of its own, and signals as a shell would give them.
    private static func spawn(
        _ command: [String],
        _ environment: [String],
        _ actions: inout posix_spawn_file_actions_t
    ) throws -> pid_t {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        posix_spawnattr_setflags(&attributes, Int16(flags))
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGPIPE, SIGINT, SIGTERM] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        let arguments = command.map { strdup($0) } + [nil]
        let variables = environment.map { strdup($0) } + [nil]
        defer { for text in arguments + variables { free(text) } }
        var pid: pid_t = 0
        let result = posix_spawnp(&pid, command[0], &actions, &attributes, arguments, variables)
        guard result == 0 else {
            throw Failure(
                description: "\(command[0]) does not start: \(String(cString: strerror(result)))"
            )
        }
        return pid
    }
}
