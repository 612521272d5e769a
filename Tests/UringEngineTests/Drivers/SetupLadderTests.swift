import Glibc
import Testing

@testable import UringEngine

struct SetupLadderTests {
    private static let maskings: [(Set<KernelFeature>, SetupRung)] = [
        ([], .deferTaskrun), ([.deferTaskrun], .coopTaskrun),
        ([.deferTaskrun, .coopTaskrun], .submitAll), ([.submitAll], .plain),
    ]

    @Test(arguments: maskings)
    func eachRungIsReachedByMasking(off: Set<KernelFeature>, rung: SetupRung) throws {
        let harness = try DriverHarness { $0.featuresOff = off }
        #expect(harness.driver.ring.rung == rung)
        for feature in off {
            let line = try #require(
                harness.driver.featureReport.first { $0.feature == feature }
            )
            #expect(!line.isOn && line.reason == FeatureReport.masked)
        }
        let token = harness.token(.cancel)
        harness.driver.cancel(token, target: harness.token(.receive))
        #expect(try harness.completions(1).map(\.errno) == [.notFound])
    }

    @Test(arguments: KernelFeature.allCases)
    func aMaskedFeatureIsOffWithItsReason(feature: KernelFeature) throws {
        let harness = try DriverHarness { $0.featuresOff = [feature] }
        let lines = harness.driver.featureReport
        #expect(lines.count == KernelFeature.allCases.count)
        let line = try #require(lines.first { $0.feature == feature })
        #expect(!line.isOn && line.reason == FeatureReport.masked)
        #expect(harness.driver.summary.contains(feature.rawValue))
    }

    @Test func capabilitiesFollowTheReport() throws {
        let off = try DriverHarness { $0.featuresOff = [.bufferRing, .multishotAccept] }
        #expect(!off.driver.capabilities.multishotReceive)
        #expect(!off.driver.capabilities.receiveBudget)
        #expect(!off.driver.capabilities.multishotAccept)
        let on = try DriverHarness()
        for line in on.driver.featureReport where line.feature == .multishotReceive {
            #expect(on.driver.capabilities.multishotReceive == line.isOn)
        }
    }

    @Test(arguments: maskings)
    func theRingsMaskIsUnchangedAfterAThousandSubmissions(
        off: Set<KernelFeature>,
        rung: SetupRung
    ) throws {
        let harness = try DriverHarness { $0.featuresOff = off }
        let mask = harness.driver.ring.submissionMask
        #expect(mask == 63)
        for _ in 0..<20 {
            for _ in 0..<50 {
                harness.driver.cancel(harness.token(.cancel), target: harness.token(.receive))
            }
            #expect(try harness.completions(50).allSatisfy { $0.errno == .notFound })
        }
        #expect(harness.driver.ring.submissionMask == mask)
    }

    @Test func selfTestsLeaveNothingBehind() throws {
        let before = openDescriptorCount()
        do {
            let harness = try DriverHarness()
            // The ring and the waker's eventfd.
            #expect(openDescriptorCount() == before + 2)
            #expect(harness.driver.operationsInFlight == 1)
            #expect(harness.driver.ring.readyCompletions == 0)
            #expect(harness.driver.shutDown(graceNanoseconds: DriverHarness.patience) == 0)
        }
        #expect(openDescriptorCount() == before)
    }

    @Test func theRingIsClosedOnExec() throws {
        let harness = try DriverHarness()
        let descriptor = try #require(harness.driver.completionDescriptor)
        #expect(fcntl(descriptor.rawValue, F_GETFD) & FD_CLOEXEC != 0)
    }

    @Test func missingFeaturesAreNamed() {
        #expect(SetupLadder.missingFeatures(.max).isEmpty)
        #expect(
            SetupLadder.missingFeatures(0) == ["SINGLE_MMAP", "NODROP", "FAST_POLL", "EXT_ARG"]
        )
        let error = SetupFailure.missing(SetupLadder.missingFeatures(0))
        #expect(error.description.contains("lacks SINGLE_MMAP, NODROP, FAST_POLL, EXT_ARG"))
    }

    @Test(arguments: [
        (Errno.notPermitted, "seccomp"), (.notImplemented, "no io_uring"),
        (.noMemory, "LimitMEMLOCK="), (.tooManyFiles, "ulimit -n"), (.invalid, "too old"),
        (.accessDenied, "SELinux"), (.tooManyFilesInSystem, "fs.file-max"),
    ])
    func refusalsAreExplained(errno: Errno, words: String) {
        let budget = RingMemoryBudget(limitBytes: 65_536, shardCount: 2)
        let error = SetupFailure.explained(
            IOError(.setUpRing, errno: errno),
            sizes: .standard,
            budget: budget
        )
        #expect(error.errno == errno)
        #expect(error.description.contains(words))
    }

    @Test(arguments: [SetupFailure.RingCall.register, .enter])
    func denialsNameTheCall(call: SetupFailure.RingCall) {
        for errno in [Errno.notPermitted, .notImplemented, .accessDenied] {
            let words = SetupFailure.denial(errno, of: call)
            #expect(words?.contains(call.rawValue) == true)
            #expect(words?.contains("allow io_uring_setup, io_uring_enter and ") == true)
            #expect(words?.contains("io_uring_disabled") == false, "that is asked at set-up")
        }
        #expect(SetupFailure.denial(.invalid, of: call) == nil)
    }

    @Test(arguments: [
        (Errno.notPermitted, false), (.accessDenied, false), (.noMemory, false),
        (.tooManyFiles, true),
    ])
    func aDescriptorsFailureHintsAtTheLimitWhereThatIsIt(errno: Errno, isLimit: Bool) {
        let error = SetupFailure.noDescriptor(errno, from: "eventfd2")
        #expect(error.errno == errno)
        #expect(error.description.contains(": eventfd2: "))
        #expect(error.description.contains("ulimit -n") == isLimit)
    }

    @Test func wantOfMemoryNamesWhatWasWantedAndTheLimit() {
        let budget = RingMemoryBudget(limitBytes: 65_536, shardCount: 2)
        let error = SetupFailure.explained(
            IOError(.setUpRing, errno: .noMemory),
            sizes: .standard,
            budget: budget
        )
        #expect(error.description.contains("90112 bytes"))
        #expect(error.description.contains("limited to 65536 bytes"))
        #expect(error.description.contains("ulimit -l"))
    }

    @Test func aRingAloneShrinksUntilItFits() throws {
        var lines: [String] = []
        var options = UringDriverOptions()
        options.log = { lines.append($0) }
        let budget = RingMemoryBudget(limitBytes: nil, shardCount: 1)
        let made = try SetupLadder(options: options, budget: budget)
            .shrinkingOnNoMemory { (sizes) throws(IOError) -> RingSizes in
                guard sizes.completionEntries <= 1024 else {
                    throw IOError(.setUpRing, errno: .noMemory)
                }
                return sizes
            }
        #expect(made.completionEntries == 1024)
        #expect(lines.count == 1)
    }

    @Test func oneOfManyRingsReportsWantOfMemoryAtOnce() {
        var options = UringDriverOptions()
        options.shardCount = 2
        var attempts = 0
        let budget = RingMemoryBudget(limitBytes: nil, shardCount: 2)
        let ladder = SetupLadder(options: options, budget: budget)
        #expect(throws: IOError.self) {
            try ladder.shrinkingOnNoMemory { (_) throws(IOError) -> Void in
                attempts += 1
                throw IOError(.setUpRing, errno: .noMemory)
            }
        }
        #expect(attempts == 1)
    }

    @Test func kernelPollingWorksOrFallsBackWithOneLine() throws {
        var lines: [String] = []
        let harness = try DriverHarness {
            $0.kernelPolling = UringDriverOptions.KernelPolling(idleMilliseconds: 1)
            $0.log = { lines.append($0) }
        }
        let isPolled = harness.driver.ring.rung == .kernelPolling
        #expect(lines.count == (isPolled ? 0 : 1))
        // More than the queue holds, and after the polling thread has gone to sleep.
        for _ in 0..<3 {
            for _ in 0..<200 {
                harness.driver.cancel(harness.token(.cancel), target: harness.token(.receive))
            }
            #expect(try harness.completions(200).allSatisfy { $0.errno == .notFound })
            try harness.waitOut(nanoseconds: 20_000_000)
        }
        #expect(harness.driver.metrics.submissions >= 600)
    }
}
