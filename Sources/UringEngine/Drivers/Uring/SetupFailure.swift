internal import CUring
internal import Glibc

/// The words for what can go wrong while a ring is set up: what happened, and what to change.
enum SetupFailure {
    /// A bare error of io_uring_setup(2) or io_uring_register(2), with words for a person.
    static func explained(_ error: IOError, sizes: RingSizes, budget: RingMemoryBudget) -> IOError {
        guard let errno = error.errno else { return error }
        let words = detail(errno, sizes: sizes, budget: budget) ?? error.detail
        return IOError(.setUpRing, errno: errno, detail: words)
    }

    private static func detail(
        _ errno: Errno,
        sizes: RingSizes,
        budget: RingMemoryBudget
    ) -> String? {
        switch errno {
        case .notPermitted: forbidden()
        case .notImplemented:
            "this kernel has no io_uring (Linux 5.11 is the oldest that will do), "
                + "or a seccomp profile hides it; \(remedy)"
        case .noMemory: noMemory(sizes: sizes, budget: budget)
        case .tooManyFiles:
            "\(cu_descriptor_limit()) open files are allowed; raise it with `ulimit -n` or LimitNOFILE="
        case .tooManyFilesInSystem: "the system's table of open files is full (fs.file-max)"
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

    private static let remedy =
        "allow io_uring_setup, io_uring_enter and io_uring_register in the profile"

    private static func forbidden() -> String {
        let profile =
            "a seccomp profile forbids it (those of Docker and containerd do); \(remedy)"
        switch disabledSetting() {
        case "0": return "kernel.io_uring_disabled is 0, so \(profile)"
        case let value?:
            return "kernel.io_uring_disabled is \(value), which forbids it; or \(profile)"
        case nil: return "the setting kernel.io_uring_disabled forbids it, or \(profile)"
        }
    }

    /// The sysctl of Linux 6.6; nil where it is not to be read.
    private static func disabledSetting() -> String? {
        // Safety: open(2) reads the path during the call.
        let file = unsafe open("/proc/sys/kernel/io_uring_disabled", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { _ = cu_close(file) }
        var digit: UInt8 = 0
        // Safety: the kernel writes at most one byte during the call.
        guard unsafe read(file, &digit, 1) == 1 else { return nil }
        return String(Character(UnicodeScalar(digit)))
    }
}
