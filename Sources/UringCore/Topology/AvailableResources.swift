internal import CNUMA
internal import CUring

/// What this process may use of the machine.
///
/// > Thread: Any thread.
package struct AvailableResources: Hashable, Sendable {
    /// The CPUs that the calling thread may run on (sched_getaffinity(2)), ascending.
    package var affinity: [Int]
    /// What the control groups leave.
    package var controlGroup: ControlGroupLimits
    /// The NUMA node of each CPU that may be used, where it is known.
    package var nodeOfCPU: [Int: Int] = [:]
    /// How much memory may be locked.
    package var lockedMemory = LockedMemory(limitBytes: nil, isExempt: false)

    /// The limit that binds rings and locked pools (RLIMIT_MEMLOCK, getrlimit(2)).
    package struct LockedMemory: Hashable, Sendable {
        /// The soft limit in bytes; nil for none.
        package let limitBytes: Int?
        /// CAP_IPC_LOCK is held, so that the limit does not bind (capabilities(7)).
        package let isExempt: Bool
    }

    /// Describes a machine by hand, for tests.
    init(affinity: [Int], controlGroup: ControlGroupLimits = ControlGroupLimits()) {
        self.affinity = affinity
        self.controlGroup = controlGroup
    }

    /// What holds for the calling thread now.
    package static func current() -> AvailableResources {
        var resources = AvailableResources(
            affinity: CoreSelection.allowedCPUs(),
            controlGroup: ControlGroupLimits(root: "")
        )
        for cpu in resources.affinity {
            let node = cn_node_of_cpu(Int32(cpu))
            if node >= 0 { resources.nodeOfCPU[cpu] = Int(node) }
        }
        let limit = cu_locked_memory_limit()
        resources.lockedMemory = LockedMemory(
            limitBytes: limit < 0 ? nil : Int(limit),
            isExempt: cu_holds_ipc_lock()
        )
        return resources
    }

    /// The CPUs that may be used: the affinity, which mostly reflects the cpuset already, within
    /// the cpuset.
    ///
    /// Where the two have nothing in common the affinity holds: the thread does run there.
    package var allowedCPUs: [Int] {
        guard let cpuset = controlGroup.cpuset else { return affinity }
        let both = Set(affinity).intersection(cpuset.cpus).sorted()
        return both.isEmpty ? affinity : both
    }
}
