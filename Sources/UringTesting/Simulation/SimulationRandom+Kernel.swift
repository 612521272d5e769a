import UringEngine

/// What kind of kernel a seed gets.
extension SimulationRandom {
    mutating func drawSizes(_ loop: inout LoopOptions, _ limits: inout SimulationLimits) {
        loop.bufferBytes = pick([64, 256, 1_024, 4_096])
        loop.bufferCount = pick([4, 4, 16, 64])
        loop.ringEntries = 8
        loop.completionEntries = pick([8, 16, 256])
        loop.limits.completionsPerTickMax = pick([1, 3, 7, 256])
        loop.limits.jobsPerTickMax = pick([1, 2, 5, 4_096])
        loop.limits.timersPerTickMax = pick([1, 3, 1_024])
        loop.quarantine = pick([.zero, .zero, .zero, .microseconds(100)])
        limits.givesBufferForEnd = below(4) == 0
        limits.providedBuffersMax = pick([2, loop.bufferCount, loop.bufferCount])
        loop.zeroCopyThreshold = pick([0, 0, 1, 200])
        drawFileSizes(&loop)
    }

    /// From a copy: what else a seed draws stays what it was.
    private func drawFileSizes(_ loop: inout LoopOptions) {
        var files = self
        loop.fileBufferBytes = 4_096
        loop.fileBufferCount = files.pick([0, 1, 4])
        loop.limits.operationsPerFileMax = files.pick([1, 2, 64])
    }

    /// As on a rung of the ladder: everything in half of the seeds, else each verb by itself.
    mutating func drawCapabilities() -> Capabilities {
        guard below(2) == 0 else { return .everything }
        var capabilities = Capabilities()
        capabilities.multishotAccept = below(2) == 0
        capabilities.multishotReceive = below(2) == 0
        capabilities.receiveBudget = capabilities.multishotReceive && below(2) == 0
        capabilities.multishotPoll = below(2) == 0
        capabilities.zeroCopySend = below(2) == 0
        capabilities.multishotReceiveMessage = below(2) == 0
        // Not drawn: a draw more would give each seed another kernel.
        capabilities.multishotRead = capabilities.multishotReceive
        return capabilities
    }
}

extension Capabilities {
    static var everything: Capabilities { ScriptedDriver.everyCapability }
}

/// Makes shards' loops on a simulated kernel.
struct LoopMaker: @unchecked Sendable {
    // Safety: a simulation never leaves the thread that made it.
    let kernel: SimulatedKernel
    let capabilities: Capabilities

    func make(
        _ index: Int,
        _ options: LoopOptions
    ) throws(IOError) -> (EventLoop, SimulatedDriver) {
        let driver = SimulatedDriver(
            kernel: kernel,
            shard: index,
            capabilities: capabilities,
            completionsMax: options.completionEntries
        )
        return (try EventLoop(driver: .custom(driver), options: options), driver)
    }
}
