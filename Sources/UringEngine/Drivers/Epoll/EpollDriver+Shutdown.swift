internal import CUring

/// The end: everything is ended at once, since nothing is under way beyond a call.
extension EpollDriver {
    /// Ends every operation that is left, at once: none of them has memory in the kernel's hands.
    ///
    /// - Returns: 0.
    package func shutDown(graceNanoseconds: UInt64) -> Int {
        guard !isShutDown else { return 0 }
        isShutDown = true
        // Nothing is sent any more without being refused.
        turnsSinceLook = .max
        set.close()
        for position in 0..<UInt32(operations.count) {
            let token = operations[SlotIndex(rawValue: position)].token
            if token != WaitingOperation.idle { release(token) }
        }
        while let completion = completions.popFirst() {
            guard completion.token.kind?.returnsDescriptor == true, completion.result >= 0 else {
                continue
            }
            // Nobody else will ever learn of it.
            _ = cu_close(completion.result)
        }
        return 0
    }
}
