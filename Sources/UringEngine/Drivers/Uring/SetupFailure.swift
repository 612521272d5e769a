/// The words for what can go wrong while a ring is set up: what happened, and what to change.
enum SetupFailure {
    /// An error of io_uring_setup(2) or io_uring_register(2), with words for a person.
    ///
    /// What denied io_uring_register(2) was said where it was called.
    static func explained(_ error: IOError, sizes: RingSizes, budget: RingMemoryBudget) -> IOError {
        guard let errno = error.errno else { return error }
        let denial = error.detail == nil ? denial(errno, of: .setup) : nil
        let words = denial ?? shortage(errno, sizes: sizes, budget: budget) ?? error.detail
        return IOError(.setUpRing, errno: errno, detail: words)
    }

    private static func shortage(
        _ errno: Errno,
        sizes: RingSizes,
        budget: RingMemoryBudget
    ) -> String? {
        switch errno {
        case .noMemory: noMemory(sizes: sizes, budget: budget)
        case .tooManyFiles, .tooManyFilesInSystem: descriptorLimit(errno)
        case .invalid: "this kernel's io_uring is too old: Linux 5.11 is the oldest that will do"
        default: nil
        }
    }

    /// Features or operations are missing that no fallback can do without.
    static func missing(_ names: [String]) -> IOError {
        IOError(
            .setUpRing,
            errno: .notSupported,
            detail: "this kernel's io_uring lacks \(names.joined(separator: ", ")); "
                + "Linux 5.11 is the oldest that will do"
        )
    }

    /// The ring behaves unlike any kernel should: it did not answer a self-test.
    static func silent(_ feature: KernelFeature) -> IOError {
        IOError(
            .setUpRing,
            reason: .deadlineExceeded,
            detail: "the self-test of \(feature.rawValue) got no answer in time"
        )
    }

    /// The limit made the sizes smaller before any ring was made.
    static func chosenBelowWish(
        _ chosen: RingSizes,
        _ wished: RingSizes,
        _ budget: RingMemoryBudget
    ) -> String {
        "ring sizes are \(chosen) instead of \(wished): \(limitWords(budget))"
    }

    /// The kernel refused the first sizes for want of memory.
    static func shrunk(from: RingSizes, to: RingSizes, _ budget: RingMemoryBudget) -> String {
        "ring sizes are \(to) instead of \(from), for which there was no memory: \(limitWords(budget))"
    }

    /// SQPOLL was asked for and is not to be had.
    static func noKernelPolling(_ error: IOError) -> String {
        "kernel-side submission (SQPOLL) is not to be had here: \(error.reason); going on without it"
    }

    private static func noMemory(sizes: RingSizes, budget: RingMemoryBudget) -> String {
        let wanted = sizes.byteCount(pageBytes: budget.pageBytes)
        return "\(wanted) bytes of ring memory (\(sizes)) were wanted; \(limitWords(budget))"
    }

    private static func limitWords(_ budget: RingMemoryBudget) -> String {
        guard let limit = budget.limitBytes else {
            return
                "no limit on locked memory applies, so the machine or its cgroup is short of memory"
        }
        return "locked memory is limited to \(limit) bytes for all rings of this user, "
            + "of which this process makes \(budget.shardCount); "
            + "raise it with `ulimit -l` or LimitMEMLOCK="
    }
}

extension IOError {
    /// io_uring is not to be had here, whatever is given to it: the kernel has none, or too old a
    /// one, or it is forbidden.
    ///
    /// Want of memory or of descriptors is something else: a fallback would hide it.
    package var meansNoUring: Bool {
        guard operation == .setUpRing, let errno else { return false }
        return switch errno {
        case .notImplemented, .notPermitted, .accessDenied, .invalid, .notSupported: true
        default: false
        }
    }
}
