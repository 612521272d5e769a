import Testing
import UringEngine

@testable import UringCore

/// What the environment means when it is in order.
@Suite("Configuration")
struct ConfigurationTests {
    private func read(_ environment: [String: String]) throws -> Configuration {
        try Configuration(environment: environment)
    }

    @Test func isTheDefaultsForAnEmptyEnvironment() throws {
        let configuration = try read([:])
        #expect(configuration.cores == .auto)
        #expect(configuration.loop.ringEntries == 256)
        #expect(configuration.loop.completionEntries == 4_096)
        #expect(configuration.loop.bufferBytes == 16_384)
        #expect(configuration.loop.bufferCount == 256)
        #expect(configuration.loop.memoryLock == .auto)
        #expect(configuration.loop.quarantine == .zero)
        #expect(!configuration.loop.isSubmissionPolled)
        #expect(configuration.loop.submissionPollIdle == .seconds(1))
        #expect(configuration.loop.limits.connectionsMax == 0)
        #expect(configuration.loop.limits.jobsBudget == .microseconds(500))
        #expect(configuration.loop.featuresOff.isEmpty)
        #expect(configuration.backlog == 4_096)
        #expect(configuration.drainTimeout == .seconds(10))
        #expect(configuration.warnings.isEmpty)
    }

    @Test func isTheSameMadeByHandAndFromAnEmptyEnvironment() throws {
        #expect(try read([:]).resolvedSettings == Configuration().resolvedSettings)
    }

    @Test func takesEachVariableToItsSetting() throws {
        let configuration = try read([
            "URINGCORE_CORES": "0",
            "URINGCORE_RING_ENTRIES": "64",
            "URINGCORE_CQ_ENTRIES": "512",
            "URINGCORE_BUFFER_SIZE": "4096",
            "URINGCORE_BUFFER_COUNT": "32",
            "URINGCORE_MLOCK": "off",
            "URINGCORE_QUARANTINE_MS": "5",
            "URINGCORE_SQPOLL": "1",
            "URINGCORE_SQPOLL_IDLE_MS": "20",
            "URINGCORE_MAX_CONNECTIONS": "1000",
            "URINGCORE_BACKLOG": "128",
            "URINGCORE_JOB_BUDGET_US": "250",
            "URINGCORE_DRAIN_MS": "1500",
            "URINGCORE_FEATURES_OFF": "multishot_recv,buf_ring",
        ])
        #expect(configuration.cores == .list([0]))
        #expect(configuration.loop.ringEntries == 64)
        #expect(configuration.loop.completionEntries == 512)
        #expect(configuration.loop.bufferBytes == 4_096)
        #expect(configuration.loop.bufferCount == 32)
        #expect(configuration.loop.memoryLock == .off)
        #expect(configuration.loop.quarantine == .milliseconds(5))
        #expect(configuration.loop.isSubmissionPolled)
        #expect(configuration.loop.submissionPollIdle == .milliseconds(20))
        #expect(configuration.loop.limits.connectionsMax == 1_000)
        #expect(configuration.loop.limits.jobsBudget == .microseconds(250))
        #expect(configuration.loop.featuresOff == [.multishotReceive, .bufferRing])
        #expect(configuration.backlog == 128)
        #expect(configuration.drainTimeout == .milliseconds(1_500))
        #expect(configuration.warnings.isEmpty)
    }

    @Test(arguments: Setting.allCases)
    func changesNothingButWhatAVariableTunes(_ setting: Setting) throws {
        // A value of each kind that differs from the default; one of them fits.
        let candidates = ["0", "1", "512", "8192", "off", "buf_ring", "all"]
        let plain = Configuration().resolvedSettings
        let changed = candidates.compactMap { value in
            try? read([setting.rawValue: value]).resolvedSettings
        }
        // How long the kernel's thread polls is no line of its own: it matters only with SQPOLL.
        // A larger ring brings more completions.
        let linesMax =
            switch setting {
            case .submissionPollIdle: 0
            case .ringEntries: 2
            default: 1
            }
        for settings in changed {
            #expect(zip(settings, plain).count { $0 != $1 } <= linesMax)
        }
        #expect(linesMax == 0 || changed.contains { $0 != plain })
    }

    @Test(arguments: [
        (Setting.ringEntries, "4"), (.ringEntries, "4096"), (.completionEntries, "256"),
        (.completionEntries, "65536"), (.bufferSize, "64"), (.bufferSize, "16777216"),
        (.bufferCount, "4"), (.bufferCount, "32768"), (.quarantine, "0"), (.quarantine, "3600000"),
        (.submissionPollIdle, "1"), (.submissionPollIdle, "3600000"), (.connectionsMax, "0"),
        (.connectionsMax, "4000000"), (.backlog, "1"), (.backlog, "1000000"), (.jobBudget, "1"),
        (.jobBudget, "1000000"), (.drain, "0"), (.drain, "86400000"), (.memoryLock, "auto"),
        (.memoryLock, "on"), (.submissionPoll, "0"), (.featuresOff, ""),
    ])
    func acceptsTheEdgesOfEachRange(_ setting: Setting, _ value: String) {
        #expect(throws: Never.self) { try read([setting.rawValue: value]) }
    }

    @Test func masksEachFeatureByItsName() throws {
        for feature in KernelFeature.allCases {
            let configuration = try read(["URINGCORE_FEATURES_OFF": feature.rawValue])
            #expect(configuration.loop.featuresOff == [feature])
        }
        let all = KernelFeature.allCases.map(\.rawValue).joined(separator: ",")
        let configuration = try read(["URINGCORE_FEATURES_OFF": all])
        #expect(configuration.loop.featuresOff == Set(KernelFeature.allCases))
    }

    @Test func acceptsAsManyCompletionsAsSubmissions() throws {
        let configuration = try read([
            "URINGCORE_RING_ENTRIES": "1024", "URINGCORE_CQ_ENTRIES": "1024",
        ])
        #expect(configuration.loop.completionEntries == 1_024)
    }

    /// A larger ring alone is no mistake: the completions that were not set follow it.
    @Test(arguments: [4, 256, 1_024, 2_048, 8_192, 32_768])
    func growsTheDefaultOfCompletionsWithTheRing(_ entries: Int) throws {
        let loop = try read(["URINGCORE_RING_ENTRIES": "\(entries)"]).loop
        #expect(loop.ringEntries == entries)
        #expect(loop.completionEntries >= max(4_096, entries))
        #expect(loop.completionEntries <= 65_536)
    }

    @Test func readsTheEnvironmentOfTheProcess() throws {
        #expect(throws: Never.self) { try Configuration.fromEnvironment() }
    }
}

/// Variables that begin like ours and are none of ours.
@Suite("Unknown variables")
struct UnknownVariableTests {
    @Test(arguments: [
        ("URINGCORE_CORE", "URINGCORE_CORES"), ("URINGCORE_BUFER_SIZE", "URINGCORE_BUFFER_SIZE"),
        ("URINGCORE_SQ_POLL", "URINGCORE_SQPOLL"),
        ("URINGCORE_MAXCONNECTIONS", "URINGCORE_MAX_CONNECTIONS"),
        ("URINGCORE_DRAIN", "URINGCORE_DRAIN_MS"),
        ("URINGCORE_FEATURE_OFF", "URINGCORE_FEATURES_OFF"),
        ("URINGCORE_mlock", "URINGCORE_MLOCK"),
    ])
    func giveOneWarningWithTheNearestName(_ name: String, _ nearest: String) throws {
        let warnings = try Configuration(environment: [name: "1"]).warnings
        #expect(warnings.count == 1)
        #expect(warnings.first?.hasPrefix("\(name) ") == true)
        #expect(warnings.first?.hasSuffix("did you mean \(nearest)?") == true)
    }

    @Test func giveOneWarningEach() throws {
        let environment = ["URINGCORE_A": "1", "URINGCORE_B": "1", "URINGCORE_CORES": "auto"]
        let warnings = try Configuration(environment: environment).warnings
        #expect(warnings.map { $0.prefix { $0 != " " } } == ["URINGCORE_A", "URINGCORE_B"])
    }

    @Test(arguments: ["URINGCOR_CORES", "uringcore_cores", "XURINGCORE_CORES", "PATH"])
    func areOnlyThoseWithOurPrefix(_ name: String) throws {
        #expect(try Configuration(environment: [name: "?"]).warnings.isEmpty)
    }
}
