extension LoopOptions {
    /// The part that the io_uring driver is set up with.
    package var uringDriver: UringDriverOptions {
        var options = UringDriverOptions()
        options.sizes = RingSizes(
            submissionEntries: ringEntries,
            completionEntries: completionEntries,
            providedEntries: providedEntries ?? Self.powerOfTwo(from: bufferCount)
        )
        options.featuresOff = featuresOff
        if isSubmissionPolled {
            let milliseconds = submissionPollIdle.clampedNanoseconds / 1_000_000
            options.kernelPolling = .init(idleMilliseconds: UInt32(clamping: milliseconds))
        }
        options.shardCount = loopCount
        options.log = log
        return options
    }

    /// The sizes that the memlock limit has room for, when `loopCount` loops share it.
    package var fittingRingSizes: RingSizes {
        uringDriver.sizes.normalized.fitting(.current(shardCount: loopCount))
    }

    /// Why those are not the sizes that were asked for, in one line; nil when they are.
    package var fittingRingSizesReason: String? {
        let wished = uringDriver.sizes.normalized
        let budget = RingMemoryBudget.current(shardCount: loopCount)
        let fitting = wished.fitting(budget)
        return fitting == wished ? nil : SetupFailure.chosenBelowWish(fitting, wished, budget)
    }

    /// Takes these sizes instead.
    package mutating func set(_ sizes: RingSizes) {
        ringEntries = sizes.submissionEntries
        completionEntries = sizes.completionEntries
        providedEntries = sizes.providedEntries
    }

    /// A provided-buffer ring has a power of two entries; those without a buffer stay empty.
    private static func powerOfTwo(from count: Int) -> Int {
        count <= 1 ? 1 : 1 << (Int.bitWidth - (count - 1).leadingZeroBitCount)
    }
}
