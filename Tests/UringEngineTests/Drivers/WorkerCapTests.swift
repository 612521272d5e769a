import CUring
import Glibc
import Synchronization
import Testing

@testable import UringEngine

/// The kernel's threads for calls that block.
@Suite struct WorkerCapTests {
    /// Splices from an empty pipe, each of which blocks a worker until the pipe ends.
    private final class BlockedSplices {
        static let count = 64
        private let harness: DriverHarness
        private var pipe: [Int32] = [-1, -1]
        private let sink = open("/dev/null", O_WRONLY | O_CLOEXEC)

        init(_ harness: DriverHarness) throws {
            self.harness = harness
            try #require(Glibc.pipe(&pipe) == 0)
            let driver = harness.driver
            for _ in 0..<Self.count {
                let entry = try #require(cu_next_entry(driver.raw))
                io_uring_prep_splice(entry, pipe[0], -1, sink, -1, 1, 0)
                entry.pointee.flags |= 1 << UInt8(IOSQE_ASYNC_BIT)
                entry.pointee.user_data = harness.token(.poll).rawValue
                driver.operationsInFlight += 1
            }
            try driver.submitAndWait(.poll)
        }

        /// Ends them all and waits for it.
        func finish() throws {
            close(pipe[1])
            let results = try harness.completions(Self.count).map(\.result)
            #expect(results.allSatisfy { $0 == 0 }, "the end of the pipe")
            close(pipe[0])
            close(sink)
        }
    }

    /// The workers of this process now.
    private func workerCount() throws -> Int {
        let folder = try #require(opendir("/proc/self/task"))
        defer { closedir(folder) }
        var count = 0
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            // A thread may end meanwhile.
            guard let file = fopen("/proc/self/task/\(name)/comm", "r") else { continue }
            defer { fclose(file) }
            var bytes = [UInt8](repeating: 0, count: 16)
            let length = fread(&bytes, 1, 16, file)
            count += bytes[..<length].starts(with: Array("iou-wrk-".utf8)) ? 1 : 0
        }
        return count
    }

    /// Waits until there are `count` workers, and then for those that might still come.
    private func workerCount(atLeast count: Int, _ harness: DriverHarness) throws -> Int {
        let deadline = harness.driver.now() + DriverHarness.patience
        var now = try workerCount()
        while now < count {
            try #require(harness.driver.now() < deadline, "\(count) workers begin, not \(now)")
            now = try workerCount()
            try harness.waitOut(nanoseconds: 1_000_000)
        }
        try harness.waitOut(nanoseconds: 50_000_000)
        return try workerCount()
    }

    /// The kernel keeps the cap, and the workers, with the thread that made the ring.
    private func onAThreadOfItsOwn(_ body: @escaping @Sendable () throws -> Void) throws {
        let failure = Mutex<(any Error)?>(nil)
        pthread_join(
            startThread {
                do { try body() } catch { failure.withLock { $0 = error } }
            },
            nil
        )
        if let failure = failure.withLock({ $0 }) { throw failure }
    }

    @Test func keepsThemFewHoweverManyCallsBlock() throws {
        try onAThreadOfItsOwn(blockManyCallsUnderTheCap)
    }

    private func blockManyCallsUnderTheCap() throws {
        let harness = try DriverHarness { $0.sizes.submissionEntries = 256 }
        let line = harness.driver.featureReport.first { $0.feature == .workerCap }
        // Without it the machine's kernel is older than 5.15.
        guard line?.isOn == true else { return }
        #expect(line?.reason == "4 for files, 4 for the rest")
        let before = try workerCount()
        let splices = try BlockedSplices(harness)
        #expect(try workerCount(atLeast: before + 4, harness) <= before + 8)
        try splices.finish()
    }

    /// What the test above relies on: they would be many.
    @Test func isWhatKeepsThemFew() throws {
        try onAThreadOfItsOwn(blockManyCallsWithoutTheCap)
    }

    private func blockManyCallsWithoutTheCap() throws {
        let harness = try DriverHarness {
            $0.sizes.submissionEntries = 256
            $0.featuresOff = [.workerCap]
        }
        #expect(harness.driver.summary.contains("worker_cap"))
        let splices = try BlockedSplices(harness)
        #expect(try workerCount(atLeast: 32, harness) >= 32)
        try splices.finish()
    }
}
