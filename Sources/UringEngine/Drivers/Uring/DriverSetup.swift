internal import CUring

/// The steps from options to a ring that is ready for use.
///
/// > Thread: Before start only, on the ring's own thread.
struct DriverSetup {
    let ring: UringRing
    let buffers: ProvidedBuffers?
    let report: FeatureReport

    /// Makes the ring, configures it, and tries it.
    ///
    /// - Throws: an error of `.setUpRing` in words.
    static func run(_ options: UringDriverOptions) throws(IOError) -> DriverSetup {
        let budget = RingMemoryBudget.current(shardCount: options.shardCount)
        let ladder = SetupLadder(options: options, budget: budget)
        var report = FeatureReport()
        // The buffer ring is part of the attempt: its memory counts against the same limit.
        let (ring, buffers) = try ladder.shrinkingOnNoMemory {
            (sizes) throws(IOError) -> (UringRing, ProvidedBuffers?) in
            let ring = try ladder.makeRing(sizes)
            return (ring, try makeBuffers(in: ring, options, &report))
        }
        noteRung(ring.rung, options, &report)
        configure(ring, options, &report)
        let probe = RingProbe(ring: ring, buffers: buffers, featuresOff: options.featuresOff)
        try probe.run(into: &report)
        return DriverSetup(ring: ring, buffers: buffers, report: report)
    }

    /// What the report means for transports.
    var capabilities: Capabilities {
        var capabilities = Capabilities()
        capabilities.multishotAccept = report.isOn(.multishotAccept)
        capabilities.multishotReceive = report.isOn(.multishotReceive)
        capabilities.receiveBudget = report.isOn(.receiveBudget)
        capabilities.multishotPoll = report.isOn(.multishotPoll)
        capabilities.zeroCopySend = report.isOn(.zeroCopySend)
        capabilities.multishotReceiveMessage = report.isOn(.multishotReceiveMessage)
        capabilities.multishotRead = report.isOn(.multishotRead)
        capabilities.linkedTimeout = report.isOn(.linkedTimeout)
        return capabilities
    }

    private static func makeBuffers(
        in ring: UringRing,
        _ options: UringDriverOptions,
        _ report: inout FeatureReport
    ) throws(IOError) -> ProvidedBuffers? {
        guard !options.featuresOff.contains(.bufferRing) else {
            report.note(.bufferRing, isOn: false, FeatureReport.masked)
            return nil
        }
        do throws(IOError) {
            let buffers = try ProvidedBuffers(in: ring, entryCount: ring.sizes.providedEntries)
            report.note(.bufferRing, isOn: true, "registered")
            return buffers
        } catch {
            guard error.errno == .invalid else { throw error }
            report.note(.bufferRing, isOn: false, "the kernel says \(error.reason)")
            return nil
        }
    }

    private static func noteRung(
        _ rung: SetupRung,
        _ options: UringDriverOptions,
        _ report: inout FeatureReport
    ) {
        let rungs: [(KernelFeature, isOn: Bool)] = [
            (.deferTaskrun, rung == .deferTaskrun),
            (.coopTaskrun, rung == .coopTaskrun),
            (.submitAll, rung.flags & UInt32(IORING_SETUP_SUBMIT_ALL) != 0),
        ]
        for (feature, isOn) in rungs {
            let isMasked = options.featuresOff.contains(feature)
            let why = "the ring is set up as \(rung.name)"
            let reason = isMasked ? FeatureReport.masked : why
            report.note(feature, isOn: isOn, reason)
        }
    }

    /// Settings that a ring works without: what fails is noted, not thrown.
    private static func configure(
        _ ring: UringRing,
        _ options: UringDriverOptions,
        _ report: inout FeatureReport
    ) {
        capWorkers(ring, options, &report)
        if options.featuresOff.contains(.registeredRing) {
            report.note(.registeredRing, isOn: false, FeatureReport.masked)
        } else if let errno = ring.registerDescriptor() {
            report.note(.registeredRing, isOn: false, "the kernel says \(errno)")
        } else {
            report.note(.registeredRing, isOn: true, "registered")
        }
        if options.featuresOff.contains(.noIOWait) {
            report.note(.noIOWait, isOn: false, FeatureReport.masked)
        } else if ring.features & UInt32(CU_FEAT_NO_IOWAIT) != 0 {
            ring.waitFlags = UInt32(CU_ENTER_NO_IOWAIT)
            report.note(.noIOWait, isOn: true, "the kernel has it")
        } else {
            report.note(.noIOWait, isOn: false, "the kernel does not have it (Linux 6.15)")
        }
    }

    /// Without a cap each blocking call gets a thread of its own: 400 splices made 400.
    private static func capWorkers(
        _ ring: UringRing,
        _ options: UringDriverOptions,
        _ report: inout FeatureReport
    ) {
        guard !options.featuresOff.contains(.workerCap) else {
            return report.note(.workerCap, isOn: false, FeatureReport.masked)
        }
        let (bounded, unbounded) = (options.boundedWorkersMax, options.unboundedWorkersMax)
        if let errno = ring.capWorkers(bounded: bounded, unbounded: unbounded) {
            // EINVAL before Linux 5.15: then the kernel's own, larger limits hold.
            report.note(.workerCap, isOn: false, "the kernel says \(errno)")
        } else {
            report.note(.workerCap, isOn: true, "\(bounded) for files, \(unbounded) for the rest")
        }
    }
}
