import Testing

@testable import UringCore

/// A value that cannot be used is an error that a person can act on, never a default in silence.
@Suite("A setting that cannot be used")
struct ConfigurationErrorTests {
    private func error(_ environment: [String: String]) -> ConfigurationError? {
        #expect(throws: ConfigurationError.self) { try Configuration(environment: environment) }
    }

    /// Not a number in the only form accepted: digits.
    static let malformedNumbers = [
        "", " ", "x", "-1", "+5", "1.5", "1e3", "0x10", "1_000", " 64", "64 ", "64\n", "٤",
        "18446744073709551616", "99999999999999999999999",
    ]

    static let numbers: [Setting] = [
        .ringEntries, .completionEntries, .bufferSize, .bufferCount, .quarantine,
        .submissionPollIdle, .connectionsMax, .backlog, .jobBudget, .drain, .coreCount, .spin,
        .stall, .inFlightPerDescriptor,
    ]

    @Test(arguments: numbers, malformedNumbers)
    func namesAMalformedNumber(_ setting: Setting, _ value: String) {
        let error = error([setting.rawValue: value])
        #expect(error?.variable == setting.rawValue)
        #expect(error?.value == value)
        #expect(error?.accepted.contains(" from ") == true)
    }

    @Test(arguments: [
        (Setting.ringEntries, "2"), (.ringEntries, "65536"), (.completionEntries, "4"),
        (.completionEntries, "131072"), (.bufferSize, "63"), (.bufferSize, "16777217"),
        (.bufferCount, "3"), (.bufferCount, "32769"), (.quarantine, "3600001"),
        (.submissionPollIdle, "0"), (.submissionPollIdle, "3600001"), (.connectionsMax, "4000001"),
        (.backlog, "0"), (.backlog, "1000001"), (.jobBudget, "0"), (.jobBudget, "1000001"),
        (.drain, "86400001"), (.coreCount, "0"), (.coreCount, "4097"), (.spin, "1000001"),
        (.stall, "3600001"), (.inFlightPerDescriptor, "0"), (.inFlightPerDescriptor, "65537"),
    ])
    func namesANumberOutOfItsRange(_ setting: Setting, _ value: String) {
        let error = error([setting.rawValue: value])
        #expect(error?.variable == setting.rawValue)
        #expect(error?.value == value)
        #expect(error?.accepted.contains(" to ") == true)
    }

    @Test(arguments: [Setting.ringEntries, .completionEntries], ["300", "255", "257", "1023"])
    func namesACountThatIsNoPowerOfTwo(_ setting: Setting, _ value: String) {
        let error = error([setting.rawValue: value])
        #expect(error?.variable == setting.rawValue)
        #expect(error?.value == value)
        #expect(error?.accepted.hasPrefix("a power of two") == true)
    }

    @Test(arguments: [
        (Setting.memoryLock, "yes"), (.memoryLock, "ON"), (.memoryLock, ""), (.memoryLock, "1"),
        (.pinning, "yes"), (.pinning, ""), (.pinning, "AUTO"), (.pinning, "0"),
        (.backend, "io_uring"), (.backend, ""), (.backend, "EPOLL"), (.backend, "select"),
        (.balance, "p3c"), (.balance, ""), (.balance, "RX"), (.balance, "on"),
        (.submissionPoll, "yes"), (.submissionPoll, "2"), (.submissionPoll, ""),
        (.submissionPoll, "01"), (.featuresOff, "none"), (.featuresOff, "buf_ring,"),
        (.featuresOff, ",buf_ring"), (.featuresOff, "buf_ring, submit_all"),
        (.featuresOff, "BUF_RING"), (.featuresOff, "buf_ring;submit_all"),
    ])
    func namesAWordThatIsNoneOfThose(_ setting: Setting, _ value: String) {
        let error = error([setting.rawValue: value])
        #expect(error?.variable == setting.rawValue)
        #expect(error?.value == value)
        let words =
            switch setting {
            case .memoryLock, .pinning: ["auto", "on", "off"]
            case .backend: ["auto", "uring", "epoll"]
            case .balance: ["p2c", "off", "rx"]
            case .submissionPoll: ["0", "1"]
            default: KernelFeature.allCases.map(\.rawValue)
            }
        for word in words {
            #expect(error?.accepted.contains(word) == true)
        }
    }

    @Test(
        .ordinarySizes,
        arguments: [
            (["URINGCORE_RING_ENTRIES": "1024", "URINGCORE_CQ_ENTRIES": "512"], "512", "1024"),
            (["URINGCORE_CQ_ENTRIES": "128"], "128", "256"),
        ]
    )
    func namesFewerCompletionsThanSubmissions(
        _ environment: [String: String],
        _ value: String,
        _ entries: String
    ) {
        let error = error(environment)
        #expect(error?.variable == "URINGCORE_CQ_ENTRIES")
        #expect(error?.value == value)
        #expect(error?.accepted == "at least URINGCORE_RING_ENTRIES, which is \(entries)")
    }

    @Test func readsAsOneLine() throws {
        let error = try #require(self.error(["URINGCORE_BACKLOG": "many"]))
        #expect(
            "\(error)"
                == "URINGCORE_BACKLOG='many' is not accepted: use a whole number from 1 to 1000000"
        )
    }

    /// The environment is any bytes; a log that takes one line must get one.
    @Test(arguments: Setting.allCases, ["a\nb", "a\r\nb", "a\u{1B}[31mb", "a\u{0}b", "a\u{2028}b"])
    func readsAsOneLineWhateverTheValue(_ setting: Setting, _ value: String) throws {
        let error = try #require(self.error([setting.rawValue: value]))
        #expect(error.value == value)
        let isPrintable = "\(error)".unicodeScalars.allSatisfy {
            $0.value >= 0x20 && $0.value != 0x7F && $0.value != 0x2028
        }
        #expect(isPrintable)
    }

    @Test(arguments: ["Auto", "autos", "auto ", "all"])
    func namesACountThatIsNeitherAutoNorANumber(_ value: String) {
        let error = error(["URINGCORE_CORE_COUNT": value])
        #expect(error?.variable == "URINGCORE_CORE_COUNT")
        #expect(error?.accepted == "auto or a whole number from 1 to 4096")
    }

    @Test func comesForTheFirstBadValueBesideAnyNumberOfGoodOnes() {
        let error = error([
            "URINGCORE_CORES": "0", "URINGCORE_BUFFER_COUNT": "none", "URINGCORE_BACKLOG": "7",
        ])
        #expect(error?.variable == "URINGCORE_BUFFER_COUNT")
    }

    @Test func comesForALoopMadeByHandThatCannotBe() {
        var configuration = Configuration()
        configuration.loop.bufferCount = 0
        let error = #expect(throws: ConfigurationError.self) {
            try Supervisor(configuration: configuration)
        }
        #expect(
            error?.description
                == "LoopOptions.bufferCount='0' is not accepted: use a whole number from 1 to 32768"
        )
    }

    /// What is accepted here is accepted by the loop.
    @Test(arguments: [
        (Setting.ringEntries, "4"), (.ringEntries, "32768"), (.completionEntries, "256"),
        (.completionEntries, "65536"), (.bufferSize, "64"), (.bufferSize, "16777216"),
        (.bufferCount, "4"), (.bufferCount, "32768"), (.quarantine, "0"), (.quarantine, "3600000"),
        (.submissionPollIdle, "1"), (.submissionPollIdle, "3600000"), (.connectionsMax, "0"),
        (.connectionsMax, "4000000"), (.jobBudget, "1"), (.jobBudget, "1000000"),
    ])
    func doesNotComeAtTheLimits(_ setting: Setting, _ value: String) throws {
        let configuration = try Configuration(environment: [setting.rawValue: value])
        #expect(configuration.loop.badField == nil)
    }
}
