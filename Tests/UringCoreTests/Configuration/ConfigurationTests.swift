import Testing
import UringEngine

@testable import UringCore

/// What the environment means when it is in order.
@Suite("Configuration")
struct ConfigurationTests {
    private func read(_ environment: [String: String]) throws -> Configuration {
        try Configuration(environment: environment)
    }

    @Test(.ordinarySizes) func isTheDefaultsForAnEmptyEnvironment() throws {
        let configuration = try read([:])
        #expect(configuration.cores == .auto)
        #expect(configuration.coreCount == nil)
        #expect(configuration.pinning == .auto)
        #expect(configuration.backend == .auto)
        #expect(configuration.balance == .p2c)
        #expect(configuration.stallLimit == .milliseconds(25))
        #expect(configuration.loop.spin == .zero)
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

    @Test(.ordinarySizes) func isTheSameMadeByHandAndFromAnEmptyEnvironment() throws {
        #expect(try read([:]).resolvedSettings == Configuration().resolvedSettings)
    }

    @Test func takesEachVariableToItsSetting() throws {
        let configuration = try read([
            "URINGCORE_CORES": "0",
            "URINGCORE_CORE_COUNT": "3",
            "URINGCORE_PIN": "off",
            "URINGCORE_BACKEND": "epoll",
            "URINGCORE_SPIN_US": "40",
            "URINGCORE_BALANCE": "rx",
            "URINGCORE_STALL_MS": "0",
            "URINGCORE_RING_ENTRIES": "64",
            "URINGCORE_CQ_ENTRIES": "512",
            "URINGCORE_BUFFER_SIZE": "4096",
            "URINGCORE_BUFFER_COUNT": "32",
            "URINGCORE_MLOCK": "off",
            "URINGCORE_QUARANTINE_MS": "5",
            "URINGCORE_SQPOLL": "1",
            "URINGCORE_SQPOLL_IDLE_MS": "20",
            "URINGCORE_INFLIGHT_PER_FD": "9",
            "URINGCORE_MAX_CONNECTIONS": "1000",
            "URINGCORE_BACKLOG": "128",
            "URINGCORE_JOB_BUDGET_US": "250",
            "URINGCORE_DRAIN_MS": "1500",
            "URINGCORE_FEATURES_OFF": "multishot_recv,buf_ring",
        ])
        #expect(configuration.cores == .list([0]))
        #expect(configuration.coreCount == 3)
        #expect(configuration.backend == .epoll)
        #expect(configuration.loop.backend == .epoll)
        #expect(configuration.pinning == .off)
        #expect(configuration.loop.spin == .microseconds(40))
        #expect(configuration.loop.limits.operationsPerFileMax == 9)
        #expect(configuration.balance == .rx)
        #expect(configuration.stallLimit == .zero)
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

    @Test(.ordinarySizes, arguments: Setting.allCases)
    func changesNothingButWhatAVariableTunes(_ setting: Setting) throws {
        // A value of each kind that differs from the default; one of them fits.
        let candidates = ["0", "1", "512", "8192", "off", "buf_ring", "all", "epoll"]
        let plain = Configuration().resolvedSettings
        let changed = candidates.compactMap { value in
            try? read([setting.rawValue: value]).resolvedSettings
        }
        // A larger ring brings more completions.
        let linesMax = setting == .ringEntries ? 2 : 1
        for settings in changed {
            #expect(zip(settings, plain).count { $0 != $1 } <= linesMax)
        }
        #expect(changed.contains { $0 != plain })
    }

    @Test func readsItsOwnSettingsBack() throws {
        let configuration = try read([
            "URINGCORE_CORES": "1,3-5", "URINGCORE_CORE_COUNT": "2", "URINGCORE_PIN": "on",
            "URINGCORE_BACKEND": "uring", "URINGCORE_SPIN_US": "7", "URINGCORE_BALANCE": "off",
            "URINGCORE_STALL_MS": "100",
            "URINGCORE_SQPOLL": "1", "URINGCORE_SQPOLL_IDLE_MS": "5",
            "URINGCORE_QUARANTINE_MS": "2",
            "URINGCORE_JOB_BUDGET_US": "9", "URINGCORE_FEATURES_OFF": "buf_ring,no_iowait",
        ])
        for settings in [configuration.settings, Configuration().settings] {
            let environment = settings.map { ($0.variable, $0.value) }
            let again = try read(Dictionary(uniqueKeysWithValues: environment))
            #expect(again.resolvedSettings == settings.map(\.description))
            #expect(again.settings.allSatisfy { $0.isSet })
        }
    }

    @Test func knowsWhichSettingsTheEnvironmentGave() throws {
        let settings = try read(["URINGCORE_PIN": "auto", "URINGCORE_DRAIN_MS": "1"]).settings
        #expect(
            settings.filter(\.isSet).map(\.description)
                == ["URINGCORE_PIN=auto", "URINGCORE_DRAIN_MS=1"]
        )
    }

    @Test func writesADurationOfAProgramWithDecimals() {
        var configuration = Configuration()
        configuration.stallLimit = .microseconds(1_500)
        #expect(configuration.resolvedSettings.contains("URINGCORE_STALL_MS=1.5"))
    }

    @Test(arguments: [
        (Setting.ringEntries, "4"), (.ringEntries, "4096"), (.completionEntries, "256"),
        (.completionEntries, "65536"), (.bufferSize, "64"), (.bufferSize, "16777216"),
        (.bufferCount, "4"), (.bufferCount, "32768"), (.quarantine, "0"), (.quarantine, "3600000"),
        (.submissionPollIdle, "1"), (.submissionPollIdle, "3600000"), (.connectionsMax, "0"),
        (.connectionsMax, "4000000"), (.backlog, "1"), (.backlog, "1000000"), (.jobBudget, "1"),
        (.jobBudget, "1000000"), (.drain, "0"), (.drain, "86400000"), (.memoryLock, "auto"),
        (.memoryLock, "on"), (.submissionPoll, "0"), (.featuresOff, ""), (.coreCount, "auto"),
        (.coreCount, "1"), (.coreCount, "4096"), (.pinning, "auto"), (.pinning, "on"),
        (.backend, "auto"), (.backend, "uring"), (.backend, "epoll"), (.balance, "p2c"),
        (.balance, "off"), (.stall, "0"), (.stall, "3600000"), (.spin, "0"),
        (.spin, "1000000"), (.inFlightPerDescriptor, "1"), (.inFlightPerDescriptor, "65536"),
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
        #expect(loop.completionEntries >= max(StandardSizes.completionEntries, entries))
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
        ("URINGCORE_mlock", "URINGCORE_MLOCK"), ("URINGCORE_CORECOUNT", "URINGCORE_CORE_COUNT"),
        ("URINGCORE_PINNING", "URINGCORE_PIN"), ("URINGCORE_SPIN_MS", "URINGCORE_SPIN_US"),
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

    @Test func areOneLineWhateverTheirNames() throws {
        let warnings = try Configuration(environment: ["URINGCORE_\n\u{1B}[31m": "1"]).warnings
        #expect(warnings.count == 1)
        #expect(warnings.first?.contains("\n") == false)
        #expect(warnings.first?.contains("\u{1B}") == false)
    }

    @Test(arguments: ["URINGCOR_CORES", "uringcore_cores", "XURINGCORE_CORES", "PATH"])
    func areOnlyThoseWithOurPrefix(_ name: String) throws {
        #expect(try Configuration(environment: [name: "?"]).warnings.isEmpty)
    }
}
