internal import CUring
internal import Glibc

/// The words for calls that a profile or a policy denies, and for descriptors that are not to be had.
extension SetupFailure {
    /// The system calls of a ring; a profile may allow some of them only.
    enum RingCall: String {
        case setup = "io_uring_setup"
        case register = "io_uring_register"
        case enter = "io_uring_enter"
    }

    /// What denied a call, and what to change; nil for an error that is no denial.
    static func denial(_ errno: Errno, of call: RingCall) -> String? {
        switch (errno, call) {
        case (.notPermitted, .setup): forbidden()
        case (.notImplemented, .setup):
            "this kernel has no io_uring (Linux 5.11 is the oldest that will do), "
                + "or a seccomp profile hides it; \(remedy)"
        case (.accessDenied, _):
            "a security module (SELinux, AppArmor) or a seccomp profile denies \(call.rawValue); "
                + "allow io_uring in the module's policy, see its audit log, and \(remedy)"
        // The kernel that made the ring has these calls, and io_uring_disabled is only asked there.
        case (.notPermitted, _):
            "a seccomp profile forbids \(call.rawValue), though not io_uring_setup; \(remedy)"
        case (.notImplemented, _):
            "a seccomp profile hides \(call.rawValue), though not io_uring_setup; \(remedy)"
        default: nil
        }
    }

    /// A call of any driver's, such as `eventfd2`, should have given a descriptor and did not.
    static func noDescriptor(_ errno: Errno, from call: String) -> IOError {
        IOError(.setUpDriver, errno: errno, detail: "\(call): \(shortage(errno, of: call))")
    }

    private static func shortage(_ errno: Errno, of call: String) -> String {
        switch errno {
        case .tooManyFiles, .tooManyFilesInSystem: descriptorLimit(errno)
        case .notPermitted, .notImplemented, .accessDenied:
            "a seccomp profile or a security module denies it; allow it there"
        default: "no descriptor was to be had"
        }
    }

    /// What bounds the open files, and how it is raised.
    static func descriptorLimit(_ errno: Errno) -> String {
        guard errno == .tooManyFiles else {
            return "the system's table of open files is full (fs.file-max)"
        }
        return "\(cu_descriptor_limit()) open files are allowed; "
            + "raise it with `ulimit -n` or LimitNOFILE="
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
