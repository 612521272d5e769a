internal import CUring

/// One look at the set a turn, then the calls that it says are worth trying.
extension EpollDriver {
    /// A wait longer than this is cut: the loop simply waits again.
    private static let waitMaxNanoseconds: UInt64 = 86_400_000_000_000

    /// Completions lie in the queue that `reap` has not copied yet.
    package var hasUnreadCompletions: Bool {
        @inline(__always) get { completions.count > 0 }
    }

    /// Waits for events, in one epoll_wait(2), and makes the calls that they are about.
    ///
    /// With unread completions it does nothing. Each descriptor has its share of the calls; whoever
    /// has more to do goes on in the next turn, which then does not wait.
    ///
    /// - Throws: an error of `.wait` when the kernel refuses for good.
    package func submitAndWait(_ bound: WaitBound) throws(IOError) {
        guard completions.count == 0 else { return }
        let patience = ready.count > 0 ? Patience.none : patienceNanoseconds(bound)
        let count = set.wait(nanoseconds: patience)
        counters.enters &+= 1
        turnsSinceLook = 0
        if count > 0 {
            takeEvents(Int(count))
        } else if count < 0 {
            try explain(Errno(result: count))
        }
        runReady()
    }

    /// Copies completions out, at most `batch.room`.
    @inline(__always)
    package func reap(into batch: inout CompletionBatch) {
        turnsSinceLook &+= 1
        guard completions.count > 0 else { return }
        let count = completions.move(into: &batch)
        counters.completions &+= UInt64(truncatingIfNeeded: count)
    }

    /// Lets those go on that had something to do at its start.
    ///
    /// A turn hands out a quarter of the pool, about: were most of it lent at once, the loop would copy
    /// received bytes out of it. Whoever is left is the first of the next turn.
    private func runReady() {
        var remaining = ready.count
        while remaining > 0, let slot = ready.popFirst(from: descriptors) {
            // Safety: slots keep their addresses.
            let known = unsafe descriptors.address(of: slot)
            if unsafe known.pointee.writers != .none { unsafe runWriters(known) }
            if unsafe known.pointee.state.contains(.readable) { unsafe runReaders(slot, known) }
            if completions.count >= completionsPerTurnMax { return }
            remaining &-= 1
        }
    }

    /// How long a wait may take, in nanoseconds, in the form that the set wants it.
    private enum Patience {
        /// No wait.
        static let none: Int64 = 0
        /// No end.
        static let unlimited: Int64 = -1
    }

    @inline(__always)
    private func patienceNanoseconds(_ bound: WaitBound) -> Int64 {
        switch bound {
        case .poll: return Patience.none
        case .forever: return Patience.unlimited
        case .deadline(let instant):
            let now = now()
            guard instant > now else { return Patience.none }
            return Int64(min(instant &- now, Self.waitMaxNanoseconds))
        }
    }

    /// A wait that did not simply succeed.
    @inline(never)
    private func explain(_ errno: Errno) throws(IOError) {
        switch errno {
        case .interrupted: break  // A signal. The loop looks around and waits again.
        default:
            throw IOError(
                .wait,
                descriptor: Descriptor(rawValue: set.descriptor),
                errno: errno
            )
        }
    }
}
