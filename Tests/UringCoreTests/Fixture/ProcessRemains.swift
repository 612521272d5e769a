import Glibc
import Testing

/// What a run may leave in its process: descriptors, threads, actions of signals.
struct ProcessRemains: Equatable, Sendable {
    private let descriptors: [String]
    private let threads: [String]
    let actions: [SignalAction]

    /// How a process takes a signal.
    struct SignalAction: Equatable, Sendable {
        let handler: Int
        let flags: Int32

        init(of signal: Int32) {
            var action = sigaction()
            sigaction(signal, nil, &action)
            handler = unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
            // SA_RESTORER is how libc calls back (sigreturn(2)), and sticks once an action was set.
            flags = action.sa_flags & ~0x0400_0000
        }
    }

    /// What there is now; of threads only those that are the runtime's.
    private init() {
        descriptors = Self.entries("/proc/self/fd").compactMap { Self.link("/proc/self/fd/\($0)") }
            // The global pool opens a timer for each clock, when it first needs it; the runtime none.
            .filter { !$0.hasPrefix("/proc/") && $0 != "anon_inode:[timerfd]" }.sorted()
        threads = Self.entries("/proc/self/task")
            .compactMap { Self.text("/proc/self/task/\($0)/comm") }
            .filter { $0.hasPrefix("uring-") }.sorted()
        actions = [SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGHUP].map(SignalAction.init)
    }

    private static func entries(_ folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names
    }

    private static func link(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 512)
        let count = readlink(path, &buffer, buffer.count - 1)
        return count < 0 ? nil : text(buffer)
    }

    private static func text(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var buffer = [CChar](repeating: 0, count: 64)
        guard fgets(&buffer, 64, file) != nil else { return nil }
        return text(buffer)
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private func isNoMore(than other: ProcessRemains) -> Bool {
        Self.isPart(descriptors, of: other.descriptors) && Self.isPart(threads, of: other.threads)
            && actions == other.actions
    }

    /// Each entry of `part` has one of its own in `whole`.
    private static func isPart(_ part: [String], of whole: [String]) -> Bool {
        var rest = whole
        return part.allSatisfy { entry in
            guard let position = rest.firstIndex(of: entry) else { return false }
            rest.remove(at: position)
            return true
        }
    }

    /// Looks before anything is begun; the pool's own descriptors are there by then.
    static func now() async throws -> ProcessRemains {
        // The first timers of the pool and of Dispatch open descriptors that stay.
        try await eventually("a first look") { true }
        await firstRun.value
        return ProcessRemains()
    }

    /// The pool's first timer is a run's, whichever test is the first.
    private static let firstRun = Task {
        _ = try? await SupervisedRun(makeSupervisor(1)) { _ in }.outcome()
    }

    /// Expects that there is no more than at `self`; a thread that was joined may take a moment to go.
    ///
    /// Less is fine: what a test before left behind may go meanwhile.
    func expectSame(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        do {
            try await eventually("nothing but what was there before") {
                ProcessRemains().isNoMore(than: self)
            }
        } catch {
            let now = ProcessRemains()
            Issue.record("\(now) instead of \(self)", sourceLocation: sourceLocation)
        }
    }
}

/// Runs `body` and expects that it leaves no descriptor, thread or action of a signal behind.
func leavingNothing(
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () async throws -> Void
) async throws {
    let before = try await ProcessRemains.now()
    try await body()
    try await before.expectSame(sourceLocation: sourceLocation)
}
