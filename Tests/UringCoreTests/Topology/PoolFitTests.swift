import Testing

@testable import UringCore

/// How many buffers a limit on memory leaves.
@Suite("PoolFit", .ordinarySizes)
struct PoolFitTests {
    private static let mebibyte = 1 << 20

    private func plan(
        _ environment: [String: String] = [:],
        cpus: Int = 1,
        memoryBytes: Int?
    ) throws -> CorePlan {
        let machine = PlanFixture.machine(cpus: cpus, memoryBytes: memoryBytes)
        return try PlanFixture.plan(environment, on: machine)
    }

    /// 256 buffers of 16 KiB are 4 MiB a shard.
    @Test(arguments: [
        (1, nil, 256), (1, 16, 256), (1, 15, 128), (1, 8, 128), (1, 7, 64), (1, 1, 16), (1, 0, 16),
        (2, 32, 256), (2, 16, 128), (8, 128, 256), (8, 127, 128), (8, 1, 16),
    ])
    func halvesUntilThePoolsAreAQuarter(_ cpus: Int, _ mebibytes: Int?, _ count: Int) throws {
        let plan = try plan(cpus: cpus, memoryBytes: mebibytes.map { $0 * Self.mebibyte })
        #expect(plan.loop.bufferCount == count)
        #expect((plan.poolReason == nil) == (count == 256))
    }

    @Test func countsTheSizeOfABuffer() throws {
        let plan = try plan(["BUFFER_SIZE": "65536"], memoryBytes: 16 * Self.mebibyte)
        #expect(plan.loop.bufferCount == 64)
        #expect(plan.loop.bufferBytes == 65_536)
    }

    @Test func saysWhatItDidAndWhy() throws {
        let reason = try plan(memoryBytes: 8 * Self.mebibyte).poolReason
        #expect(reason?.hasPrefix("128 a shard instead of 256: ") == true)
        #expect(reason?.hasSuffix("8388608 bytes, in /cg/memory.max") == true)
    }

    @Test(arguments: ["256", "1024", "8"])
    func leavesACountOfTheOperatorAlone(_ count: String) throws {
        let plan = try plan(["BUFFER_COUNT": count], memoryBytes: Self.mebibyte)
        #expect(plan.loop.bufferCount == Int(count))
        #expect(plan.poolReason == nil)
    }

    @Test func leavesACountOfTheProgramAlone() throws {
        var configuration = Configuration()
        configuration.loop.bufferCount = 512
        let machine = PlanFixture.machine(cpus: 1, memoryBytes: Self.mebibyte)
        #expect(try CorePlan(configuration, on: machine).loop.bufferCount == 512)
    }
}
