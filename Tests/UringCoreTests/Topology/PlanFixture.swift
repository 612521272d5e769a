@testable import UringCore

/// Machines that are made up, and the plans for them.
enum PlanFixture {
    /// A machine of `cpus` CPUs, with a quota and a memory limit when a test wants them.
    static func machine(
        cpus: Int,
        quota: Double? = nil,
        memoryBytes: Int? = nil
    ) -> AvailableResources {
        var limits = ControlGroupLimits()
        limits.quota = quota.flatMap {
            CPUQuota(
                quotaMicroseconds: Int($0 * 100_000),
                periodMicroseconds: 100_000,
                source: "/cg/cpu.max"
            )
        }
        limits.memory = memoryBytes.map { .init(byteCount: $0, source: "/cg/memory.max") }
        return AvailableResources(affinity: Array(0..<cpus), controlGroup: limits)
    }

    /// The plan that an environment comes to; names without their prefix.
    static func plan(
        _ environment: [String: String] = [:],
        on machine: AvailableResources
    ) throws -> CorePlan {
        let variables = environment.map { ("URINGCORE_" + $0.key, $0.value) }
        let configuration = try Configuration(
            environment: Dictionary(uniqueKeysWithValues: variables)
        )
        return try CorePlan(configuration, on: machine)
    }
}
