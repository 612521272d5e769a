import CNUMA
import Glibc
import Synchronization
import Testing

@testable import UringCore

/// Threads that stay where they were put.
@Suite("PinnedThread")
struct PinnedThreadTests {
    /// What a thread saw of itself.
    private struct Sighting: Equatable {
        var cpu: Int32 = -1
        var allowed: [Int] = []
        var pinFailure: IOError?
    }

    /// Runs a thread to its end and tells what it saw.
    private func sighting(cpu: Int) throws -> Sighting {
        let seen = Mutex(Sighting())
        let thread = try PinnedThread.start(cpu: cpu) { failure in
            let sighting = Sighting(
                cpu: cn_current_cpu(),
                allowed: CoreSelection.allowedCPUs(),
                pinFailure: failure
            )
            seen.withLock { $0 = sighting }
        }
        thread.join()
        return seen.withLock { $0 }
    }

    @Test(arguments: CoreSelection.allowedCPUs())
    func runsOnItsCPUAlone(_ cpu: Int) throws {
        let sighting = try sighting(cpu: cpu)
        #expect(sighting.pinFailure == nil)
        #expect(sighting.cpu == Int32(cpu))
        #expect(sighting.allowed == [cpu])
    }

    @Test func leavesTheThreadThatStartedItWhereItWas() throws {
        let before = CoreSelection.allowedCPUs()
        _ = try sighting(cpu: before[0])
        #expect(CoreSelection.allowedCPUs() == before)
    }

    /// The first is beyond any machine's CPUs, the others beyond what a CPU set can name.
    @Test(arguments: [4_095, 4_096, 1_000_000, -1])
    func handsTheBodyTheReasonWhenItCannotBePinned(_ cpu: Int) throws {
        let sighting = try sighting(cpu: cpu)
        #expect(sighting.pinFailure?.errno == .invalid)
        #expect(sighting.pinFailure?.description.contains("pin to CPU \(cpu)") == true)
        #expect(sighting.allowed == CoreSelection.allowedCPUs())
    }

    /// With no memory left for a stack there is no thread.
    @Test(arguments: [nil, 0] as [Int?])
    func saysThatNoThreadIsToBeHad(_ cpu: Int?) async {
        await #expect(processExitsWith: .success) { [cpu] in
            var limit = rlimit(rlim_cur: 1 << 20, rlim_max: 1 << 20)
            setrlimit(__rlimit_resource_t(UInt32(RLIMIT_AS.rawValue)), &limit)
            do {
                try PinnedThread.start(cpu: cpu) { _ in }
                exit(1)
            } catch {
                let place = cpu.map { "for CPU \($0); " } ?? ""
                let line = "start thread failed: EAGAIN (11): \(place)see `ulimit -u`, "
                exit("\(error)".hasPrefix(line) ? 0 : 2)
            }
        }
    }

    @Test func joinsAfterTheBodyHasEnded() throws {
        let hasEnded = Atomic(false)
        let thread = try PinnedThread.start(cpu: CoreSelection.allowedCPUs()[0]) { _ in
            hasEnded.store(true, ordering: .releasing)
        }
        thread.join()
        let hadEnded = hasEnded.load(ordering: .acquiring)
        #expect(hadEnded)
    }

    @Test func letsGoOfItsBodyAtTheEnd() throws {
        final class Captured: Sendable {}
        weak var captured: Captured?
        do {
            let object = Captured()
            captured = object
            try PinnedThread.start(cpu: 0) { _ in withExtendedLifetime(object) {} }.join()
        }
        #expect(captured == nil)
    }
}
