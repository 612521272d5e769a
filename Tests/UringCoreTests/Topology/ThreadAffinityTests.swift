import CNUMA
import Synchronization
import Testing

@testable import UringCore

/// Binding a thread to several CPUs.
@Suite("ThreadAffinity")
struct ThreadAffinityTests {
    /// What a thread of its own sees after binding itself.
    private func bound(to cpus: [Int]) throws -> (allowed: [Int], failure: IOError?) {
        let seen = Mutex<(allowed: [Int], failure: IOError?)>(([], nil))
        let first = CoreSelection.allowedCPUs()[0]
        let thread = try PinnedThread.start(cpu: first) { _ in
            var failure: IOError?
            do throws(IOError) { try ThreadAffinity.bind(to: cpus) } catch { failure = error }
            let allowed = CoreSelection.allowedCPUs()
            seen.withLock { $0 = (allowed, failure) }
        }
        thread.join()
        return seen.withLock { $0 }
    }

    @Test func letsAThreadRunOnThese() throws {
        let cpus = CoreSelection.allowedCPUs()
        let (allowed, failure) = try bound(to: cpus)
        #expect(failure == nil)
        #expect(allowed == cpus)
    }

    @Test(arguments: [[], [-1], [4_095], [4_096], [0, 1_000_000]])
    func refusesCPUsThatCannotBe(_ cpus: [Int]) throws {
        let (allowed, failure) = try bound(to: cpus)
        #expect(failure?.errno == .invalid)
        #expect(failure?.description.contains("run on CPUs") == true)
        #expect(allowed == [CoreSelection.allowedCPUs()[0]])
    }
}
