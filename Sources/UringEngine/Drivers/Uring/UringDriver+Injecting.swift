internal import CUring

// Safety: the entry is written before the next one is taken.
extension UringDriver {
    /// Completes `token` with `result` by way of the ring, with nothing done (Linux 6.10).
    ///
    /// For tests of what stands on a driver: the completion takes its turn with those of real
    /// operations. An older kernel answers 0 or EINVAL.
    ///
    /// - Returns: false, with nothing asked for, where the completion of a receive stands for that of
    ///   its poll.
    package func completeWithNothingDone(_ token: OperationToken, result: Int32) -> Bool {
        let isReading =
            token.hasKind(.receive) || token.hasKind(.receiveMessage) || token.hasKind(.readStream)
        guard receiveMode != .emulated || !isReading else { return false }
        unsafe cu_prepare_result(nextEntry(), result, token.rawValue)
        return true
    }
}
