import Testing

@testable import UringCore

/// Which CPUs are used, and by how many shards.
@Suite("CorePlan")
struct CorePlanTests {
    private func plan(
        _ environment: [String: String] = [:],
        cpus: Int,
        quota: Double? = nil
    ) throws -> CorePlan {
        try PlanFixture.plan(environment, on: PlanFixture.machine(cpus: cpus, quota: quota))
    }

    @Test(arguments: ["auto", "all"])
    func takesEveryAllowedCPU(_ cores: String) throws {
        let plan = try plan(["CORES": cores], cpus: 3)
        #expect(plan.cpus == [0, 1, 2])
        #expect(plan.shardCount == 3)
        #expect(plan.coresReason == "all of 3 allowed CPUs")
    }

    @Test(arguments: [
        (0.5, 1), (1, 1), (1.5, 2), (2, 2), (2.01, 3), (7.5, 8), (8, 8), (64, 8),
    ])
    func takesAsManyAsTheQuotaKeepsBusy(_ quota: Double, _ count: Int) throws {
        let plan = try plan(cpus: 8, quota: quota)
        #expect(plan.shardCount == count)
        #expect(plan.cpus == Array(0..<count))
    }

    @Test func namesTheQuotaThatLimitsIt() throws {
        let reason = try plan(cpus: 8, quota: 1.5).coresReason
        #expect(reason == "2 of 8 allowed CPUs: quota 1.5 in /cg/cpu.max")
    }

    @Test func takesAllWhateverTheQuotaWhenToldSo() throws {
        #expect(try plan(["CORES": "all"], cpus: 8, quota: 1.5).shardCount == 8)
    }

    @Test func takesAListWhateverTheQuota() throws {
        let plan = try plan(["CORES": "1,4-5"], cpus: 8, quota: 1.5)
        #expect(plan.cpus == [1, 4, 5])
        #expect(plan.shardCount == 3)
        #expect(plan.coresReason == "CPUs 1,4,5 of 8 allowed: URINGCORE_CORES")
    }

    @Test(arguments: [("auto", [0, 1]), ("all", [0, 1]), ("3-6", [3, 4])])
    func takesTheFirstSoMany(_ cores: String, _ cpus: [Int]) throws {
        let plan = try plan(["CORES": cores, "CORE_COUNT": "2"], cpus: 8)
        #expect(plan.cpus == cpus)
        #expect(plan.shardCount == 2)
        #expect(plan.coresReason.hasPrefix("2 of "))
        #expect(plan.coresReason.hasSuffix(": URINGCORE_CORE_COUNT"))
    }

    @Test func takesACountThatIsGivenWhateverTheQuota() throws {
        #expect(try plan(["CORE_COUNT": "4"], cpus: 8, quota: 1.5).shardCount == 4)
    }

    @Test(arguments: ["auto", "off"])
    func takesMoreShardsThanCPUsUnlessTheyArePinned(_ pinning: String) throws {
        let plan = try plan(["CORE_COUNT": "16", "PIN": pinning], cpus: 2)
        #expect(plan.shardCount == 16)
        #expect(plan.cpus == [0, 1])
        #expect(!plan.isPinned)
        #expect(plan.coresReason == "16 shards on 2 allowed CPUs: URINGCORE_CORE_COUNT")
    }

    @Test func refusesMorePinnedShardsThanCPUs() throws {
        let error = try #require(throws: ConfigurationError.self) {
            try plan(["CORE_COUNT": "3", "PIN": "on"], cpus: 2)
        }
        #expect(error.variable == "URINGCORE_CORE_COUNT")
        #expect(error.value == "3")
        #expect(error.accepted.hasPrefix("auto or a whole number from 1 to 2"))
        #expect(error.accepted.contains("URINGCORE_PIN=off"))
    }

    @Test func refusesAListedCPUThatIsNotAllowed() throws {
        let error = try #require(throws: ConfigurationError.self) {
            try plan(["CORES": "0,2"], cpus: 2)
        }
        #expect(error.variable == "URINGCORE_CORES")
        #expect(error.accepted == "CPUs that this process may use: 0,1")
    }

    @Test(arguments: [-1, 0, 4_097, .max])
    func refusesACountOfAProgramThatCannotBe(_ count: Int) throws {
        var configuration = Configuration()
        configuration.coreCount = count
        let error = try #require(throws: ConfigurationError.self) {
            try CorePlan(configuration, on: PlanFixture.machine(cpus: 2))
        }
        #expect(error.variable == "URINGCORE_CORE_COUNT")
        #expect(error.value == "\(count)")
    }

    @Test func refusesAnEmptyListOfAProgram() throws {
        var configuration = Configuration()
        configuration.cores = .list([])
        let error = try #require(throws: ConfigurationError.self) {
            try CorePlan(configuration, on: PlanFixture.machine(cpus: 2))
        }
        #expect(error.variable == "URINGCORE_CORES")
    }

    @Test func tellsEachLoopHowManyThereAre() throws {
        #expect(try plan(["CORE_COUNT": "5"], cpus: 8).loop.loopCount == 5)
    }

    @Test func fitsThisMachine() throws {
        let plan = try CorePlan(Configuration())
        #expect(plan.shardCount == plan.cpus.count)
        #expect(Set(plan.cpus).isSubset(of: CoreSelection.allowedCPUs()))
        #expect(plan.log.count >= 2)
    }
}
