internal import UringCore

/// For a person: a word, then what there is to say of it.
extension InfoReport {
    /// The report, a line for each thing.
    var text: String {
        let sections: [(String, [String])] = [
            ("kernel", ["\(kernel.system) \(kernel.release) \(kernel.machine)"]),
            ("driver", driverLines),
            ("features", featureLines),
            ("memlock", [lockedMemoryLine]),
            ("cores", coreLines),
            ("pinning", ["\(plan.isPinned ? "on" : "off"): \(plan.pinningReason)"]),
            ("spinning", [spinLine]),
            ("numa", nodeLines),
            ("cgroup", controlGroupLines),
            ("buffers", bufferLines),
            ("settings", configuration.settings.map { "\($0)\($0.isSet ? "  (set)" : "")" }),
            ("warnings", configuration.warnings.isEmpty ? ["none"] : configuration.warnings),
        ]
        return sections.flatMap { Self.lines($0, $1) }.joined(separator: "\n")
    }

    private static func lines(_ word: String, _ lines: [String]) -> [String] {
        lines.enumerated().map { index, line in
            let lead = index == 0 ? word : ""
            return lead + String(repeating: " ", count: max(1, 10 - lead.count)) + line
        }
    }

    private var driverLines: [String] {
        guard let rung = driver.rung, let sizes = driver.sizes else {
            let why = driver.failure.map { "\($0)" } ?? "asked for"
            return ["\(driver.backend.map { "\($0.rawValue)" } ?? "none"): \(why)"] + driver.notes
        }
        return ["io_uring, set up as \(rung) (\(sizes))"] + driver.notes
    }

    private var featureLines: [String] {
        driver.features.map { feature in
            feature.isOn ? "\(feature.name) on" : "\(feature.name) off: \(feature.reason)"
        }
    }

    private var lockedMemoryLine: String {
        let locked = resources.lockedMemory
        let limit = locked.limitBytes.map { "\($0) bytes" } ?? "no limit"
        return locked.isExempt ? "\(limit); CAP_IPC_LOCK exempts this process" : limit
    }

    private var coreLines: [String] {
        let shards = plan.shardCount == 1 ? "1 shard" : "\(plan.shardCount) shards"
        return [
            "\(shards) on CPUs \(CPUList.text(of: plan.cpus)): \(plan.coresReason)",
            "affinity \(CPUList.text(of: resources.affinity))",
        ]
    }

    private var spinLine: String {
        guard let reason = plan.spinReason else { return "off" }
        return "\(plan.isSpinning ? "on" : "off"): \(reason)"
    }

    private var nodeLines: [String] {
        guard !nodes.isEmpty else { return ["the machine or its policy does not tell"] }
        return nodes.map { "node \($0.number): CPUs \(CPUList.text(of: $0.cpus))" }
    }

    private var controlGroupLines: [String] {
        let limits = resources.controlGroup
        return [
            limits.cpuset.map { "CPUs \(CPUList.text(of: $0.cpus)), in \($0.source)" }
                ?? "no cpuset",
            limits.quota.map { "\($0), in \($0.source)" } ?? "no CPU quota",
            limits.memory.map { "memory \($0.byteCount) bytes, in \($0.source)" }
                ?? "no memory limit",
        ]
    }

    private var bufferLines: [String] {
        let loop = plan.loop
        return ["\(loop.bufferCount) of \(loop.bufferBytes) bytes a shard"]
            + (plan.poolReason.map { [$0] } ?? [])
    }
}
