import Testing

@testable import UringCore

/// Whether threads are bound, and whether loops spin.
@Suite("CorePlan's threads")
struct CorePlanPinningTests {
    private func plan(
        _ environment: [String: String] = [:],
        cpus: Int,
        quota: Double? = nil
    ) throws -> CorePlan {
        try PlanFixture.plan(environment, on: PlanFixture.machine(cpus: cpus, quota: quota))
    }

    // MARK: Pinning

    @Test(arguments: [nil, 1, 2, 8, 2.5] as [Double?])
    func arePinnedUnderAQuotaThatLeavesWholeCPUs(_ quota: Double?) throws {
        let plan = try plan(cpus: 2, quota: quota)
        #expect(plan.isPinned)
        #expect(plan.pinningReason == "each shard has a CPU")
    }

    @Test(arguments: [0.5, 1.5, 2.25])
    func areNotPinnedUnderAFraction(_ quota: Double) throws {
        let plan = try plan(cpus: 8, quota: quota)
        #expect(!plan.isPinned)
        #expect(plan.pinningReason.hasSuffix("is a fraction, in /cg/cpu.max"))
        #expect(plan.pinningReason.hasPrefix("quota "))
    }

    @Test(arguments: ["all", "0-7"])
    func areNotPinnedUnderAFractionHoweverTheyWereChosen(_ cores: String) throws {
        #expect(try plan(["CORES": cores], cpus: 8, quota: 1.5).isPinned == false)
    }

    @Test func areNotPinnedWhenThereAreMoreThanCPUs() throws {
        let plan = try plan(["CORE_COUNT": "3"], cpus: 2)
        #expect(!plan.isPinned)
        #expect(plan.pinningReason == "3 shards outnumber 2 CPUs")
    }

    @Test func arePinnedOrNotAsToldUnderAnyQuota() throws {
        #expect(try plan(["PIN": "on"], cpus: 8, quota: 1.5).isPinned)
        #expect(try plan(["PIN": "off"], cpus: 8).isPinned == false)
        #expect(try plan(["PIN": "on"], cpus: 8).pinningReason == "URINGCORE_PIN=on")
        #expect(try plan(["PIN": "off"], cpus: 8).pinningReason == "URINGCORE_PIN=off")
    }

    @Test func eachRunOnTheirOwnCPUWhenPinned() throws {
        let plan = try plan(["CORES": "1,4-5"], cpus: 8)
        #expect((0..<3).map(plan.affinity(ofShard:)) == [[1], [4], [5]])
        #expect(plan.cpuOfShard == [1, 4, 5])
    }

    @Test func runWhereverTheProcessMayWhenNotPinned() throws {
        let plan = try plan(["PIN": "off"], cpus: 4)
        #expect((0..<4).allSatisfy { plan.affinity(ofShard: $0).isEmpty })
        #expect(plan.cpuOfShard == [nil, nil, nil, nil])
    }

    @Test func keepToAListWhenNotPinned() throws {
        let plan = try plan(["CORES": "2-3", "CORE_COUNT": "4"], cpus: 8)
        #expect((0..<4).allSatisfy { plan.affinity(ofShard: $0) == [2, 3] })
    }

    // MARK: Spinning

    @Test func doNotSpinUnlessAsked() throws {
        let plan = try plan(["CORE_COUNT": "1"], cpus: 8)
        #expect(!plan.isSpinning)
        #expect(plan.spinReason == nil)
    }

    @Test func spinWhileCPUsAreLeft() throws {
        let plan = try plan(["CORE_COUNT": "1", "SPIN_US": "50"], cpus: 2)
        #expect(plan.loop.spin == .microseconds(50))
        #expect(plan.spinReason == "1 shard on 2 allowed CPUs")
    }

    @Test(arguments: ["2", "3", "auto"])
    func doNotSpinWhenNoneIsLeft(_ count: String) throws {
        let plan = try plan(["CORE_COUNT": count, "SPIN_US": "50"], cpus: 2)
        #expect(plan.loop.spin == .zero)
        #expect(plan.spinReason?.hasSuffix("leave no CPU to spin on") == true)
    }

    @Test func doNotSpinAwayAQuota() throws {
        let plan = try plan(["CORE_COUNT": "2", "SPIN_US": "50"], cpus: 8, quota: 1.5)
        #expect(!plan.isSpinning)
        #expect(plan.spinReason?.contains("quota 1.5") == true)
        #expect(
            try PlanFixture.plan(["SPIN_US": "50"], on: .init(affinity: [0])).loop.spin == .zero
        )
    }

    @Test(.ordinarySizes) func areLoggedWithEveryReason() throws {
        let machine = PlanFixture.machine(cpus: 2, memoryBytes: 1 << 20)
        let log = try PlanFixture.plan(["CORE_COUNT": "1", "SPIN_US": "50"], on: machine).log
        #expect(
            log.map { $0.prefix { $0 != ":" } }
                == ["cores", "pinning on", "spinning on", "buffers"]
        )
    }
}
