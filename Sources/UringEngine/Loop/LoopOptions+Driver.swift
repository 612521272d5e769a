extension LoopOptions {
    /// The part that the io_uring driver is set up with.
    package var uringDriver: UringDriverOptions {
        var options = UringDriverOptions()
        options.sizes = RingSizes(
            submissionEntries: ringEntries,
            completionEntries: completionEntries,
            providedEntries: Self.powerOfTwo(from: bufferCount)
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

    /// A provided-buffer ring has a power of two entries; those without a buffer stay empty.
    private static func powerOfTwo(from count: Int) -> Int {
        count <= 1 ? 1 : 1 << (Int.bitWidth - (count - 1).leadingZeroBitCount)
    }
}
