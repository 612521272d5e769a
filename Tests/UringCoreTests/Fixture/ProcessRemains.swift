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
            .filter { !$0.hasPrefix("/proc/") && !ownedByDispatch.contains($0) }.sorted()
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

    /// Looks before anything is begun; the pool's own descriptors are there by then.
    static func now() async throws -> ProcessRemains {
        // The first timers of the pool and of Dispatch open descriptors that stay.
        try await eventually("a first look") { true }
        return ProcessRemains()
    }

    /// Expects that there is no more than at `self`; a thread that was joined may take a moment to go.
    func expectSame(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        do {
            try await eventually("nothing but what was there before") { ProcessRemains() == self }
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
