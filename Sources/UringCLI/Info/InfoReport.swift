internal import UringCore

/// Everything that decides how the runtime would run here.
struct InfoReport {
    let kernel = KernelName()
    let configuration: Configuration
    let resources: AvailableResources
    let plan: CorePlan
    let driver: DriverReport

    /// Looks at the process, the machine, and a ring made for the purpose.
    ///
    /// - Throws: `ConfigurationError` for settings that this machine cannot meet.
    init(_ configuration: Configuration) throws(ConfigurationError) {
        self.configuration = configuration
        resources = .current()
        plan = try CorePlan(configuration, on: resources)
        driver = DriverReport(plan.loop)
    }

    /// The NUMA nodes with their CPUs among the allowed, ascending.
    var nodes: [(number: Int, cpus: [Int])] {
        Dictionary(grouping: resources.nodeOfCPU.keys) { resources.nodeOfCPU[$0] ?? 0 }
            .sorted { $0.key < $1.key }
            .map { ($0.key, $0.value.sorted()) }
    }
}
