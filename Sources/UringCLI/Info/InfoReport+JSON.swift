internal import UringCore

/// For a program: the same, with names that stay.
extension InfoReport {
    /// The report as one object.
    var json: JSONValue {
        .object([
            ("kernel", kernelJSON),
            ("driver", driverJSON),
            ("features", .array(driver.features.map(Self.json))),
            ("lockedMemory", lockedMemoryJSON),
            ("cores", coresJSON),
            ("pinning", Self.switched(plan.isPinned, plan.pinningReason)),
            ("spinning", Self.switched(plan.isSpinning, plan.spinReason)),
            ("numa", .object([("nodes", .array(nodes.map(Self.json)))])),
            ("cgroup", controlGroupJSON),
            ("buffers", buffersJSON),
            (
                "settings",
                .object(configuration.settings.map { ($0.variable, .string($0.value)) })
            ),
            (
                "settingsFromEnvironment",
                .strings(configuration.settings.filter(\.isSet).map(\.variable))
            ),
            ("warnings", .strings(configuration.warnings)),
        ])
    }

    private var kernelJSON: JSONValue {
        .object([
            ("name", .string(kernel.system)), ("release", .string(kernel.release)),
            ("machine", .string(kernel.machine)),
        ])
    }

    private var driverJSON: JSONValue {
        let sizes = driver.sizes.map { sizes in
            JSONValue.object([
                ("submissionEntries", .integer(sizes.submissionEntries)),
                ("completionEntries", .integer(sizes.completionEntries)),
                ("providedEntries", .integer(sizes.providedEntries)),
            ])
        }
        return .object([
            ("name", .string(orNull: driver.backend?.rawValue)),
            ("wanted", .string(driver.choice.rawValue)),
            ("rung", .string(orNull: driver.rung)),
            ("ring", sizes ?? .null),
            ("notes", .strings(driver.notes)),
            ("failure", .string(orNull: driver.failure.map { "\($0)" })),
        ])
    }

    private static func json(_ feature: DriverReport.Feature) -> JSONValue {
        .object([
            ("name", .string(feature.name)), ("isOn", .bool(feature.isOn)),
            ("reason", .string(feature.reason)),
        ])
    }

    private var lockedMemoryJSON: JSONValue {
        .object([
            ("limitBytes", .integer(orNull: resources.lockedMemory.limitBytes)),
            ("isExempt", .bool(resources.lockedMemory.isExempt)),
        ])
    }

    private var coresJSON: JSONValue {
        .object([
            ("shards", .integer(plan.shardCount)),
            ("cpus", .integers(plan.cpus)),
            ("why", .string(plan.coresReason)),
            ("affinity", .integers(resources.affinity)),
        ])
    }

    private static func switched(_ isOn: Bool, _ why: String?) -> JSONValue {
        .object([("isOn", .bool(isOn)), ("why", .string(orNull: why))])
    }

    private static func json(_ node: (number: Int, cpus: [Int])) -> JSONValue {
        .object([("node", .integer(node.number)), ("cpus", .integers(node.cpus))])
    }

    private var controlGroupJSON: JSONValue {
        let limits = resources.controlGroup
        let cpuset = limits.cpuset.map { cpuset in
            JSONValue.object([
                ("cpus", .integers(cpuset.cpus)), ("source", .string(cpuset.source)),
            ])
        }
        let quota = limits.quota.map { quota in
            JSONValue.object([("cpus", .number(quota.cpus)), ("source", .string(quota.source))])
        }
        let memory = limits.memory.map { memory in
            JSONValue.object([
                ("bytes", .integer(memory.byteCount)), ("source", .string(memory.source)),
            ])
        }
        return .object([
            ("cpuset", cpuset ?? .null), ("quota", quota ?? .null), ("memory", memory ?? .null),
        ])
    }

    private var buffersJSON: JSONValue {
        .object([
            ("bytes", .integer(plan.loop.bufferBytes)), ("count", .integer(plan.loop.bufferCount)),
            ("why", .string(orNull: plan.poolReason)),
        ])
    }
}

extension JSONValue {
    fileprivate static func strings(_ values: [String]) -> JSONValue {
        .array(values.map { .string($0) })
    }

    fileprivate static func integers(_ values: [Int]) -> JSONValue {
        .array(values.map { .integer($0) })
    }

    fileprivate static func string(orNull value: String?) -> JSONValue {
        value.map { .string($0) } ?? .null
    }

    fileprivate static func integer(orNull value: Int?) -> JSONValue {
        value.map { .integer($0) } ?? .null
    }
}
