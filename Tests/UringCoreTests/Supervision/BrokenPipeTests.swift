import Glibc
import Logging
import Testing

@testable import UringCore

/// What a run makes of SIGPIPE, a setting of the whole process.
@Suite("SIGPIPE", .serialized)
struct BrokenPipeTests {
    /// Runs a supervisor whose handlers end at once, with `action` for the signal, and tells what the
    /// action is afterwards.
    private func action(
        afterRunWith action: __sighandler_t?,
        ignoresBrokenPipes: Bool
    ) async throws -> Int {
        let before = signal(SIGPIPE, action)
        defer { signal(SIGPIPE, before) }
        var configuration = Configuration()
        configuration.ignoresBrokenPipes = ignoresBrokenPipes
        configuration.drainSignals = []
        configuration.loop.memoryLock = .off
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        try await Supervisor(configuration: configuration, logger: logger).run { _ in }
        return number(signal(SIGPIPE, action))
    }

    private func number(_ action: __sighandler_t?) -> Int {
        unsafeBitCast(action, to: Int.self)
    }

    @Test func isIgnoredFromTheRunOn() async throws {
        let after = try await action(afterRunWith: SIG_DFL, ignoresBrokenPipes: true)
        #expect(after == number(SIG_IGN))
    }

    @Test func isLeftToTheProgramThatWantsThat() async throws {
        let after = try await action(afterRunWith: SIG_DFL, ignoresBrokenPipes: false)
        #expect(after == number(SIG_DFL))
    }

    @Test func keepsAnActionOfTheProgram() async throws {
        let own: __sighandler_t = { _ in }
        let after = try await action(afterRunWith: own, ignoresBrokenPipes: true)
        #expect(after == number(own))
    }
}
