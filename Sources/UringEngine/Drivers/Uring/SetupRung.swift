internal import CUring

/// One way to set a ring up.
///
/// They are tried downwards, on EINVAL alone: a kernel's version says little about what a
/// distribution put into it.
/// > Thread: Any thread.
package enum SetupRung: Hashable, Sendable, CaseIterable {
    /// The kernel submits from a thread of its own. Only when asked for.
    case kernelPolling
    /// Completions are made ready when this thread asks for them, and only it submits (Linux 6.1).
    case deferTaskrun
    /// Completions do not interrupt this thread (Linux 5.19).
    case coopTaskrun
    /// A bad entry does not stop those behind it (Linux 5.18).
    case submitAll
    /// What Linux 5.11 has.
    case plain

    /// The flags of io_uring_setup(2).
    var flags: UInt32 {
        let sized = UInt32(IORING_SETUP_CLAMP) | UInt32(IORING_SETUP_CQSIZE)
        let all = sized | UInt32(IORING_SETUP_SUBMIT_ALL)
        let flagged = all | UInt32(IORING_SETUP_TASKRUN_FLAG)
        return switch self {
        // The kernel refuses task-run flags together with SQPOLL: its thread runs the task work.
        case .kernelPolling: sized | UInt32(IORING_SETUP_SQPOLL)
        case .deferTaskrun:
            flagged | UInt32(IORING_SETUP_SINGLE_ISSUER) | UInt32(IORING_SETUP_DEFER_TASKRUN)
        case .coopTaskrun: flagged | UInt32(IORING_SETUP_COOP_TASKRUN)
        case .submitAll: all
        case .plain: sized
        }
    }

    /// The rung's name in logs.
    package var name: String {
        switch self {
        case .kernelPolling: "sqpoll"
        case .deferTaskrun: "defer_taskrun"
        case .coopTaskrun: "coop_taskrun"
        case .submitAll: "submit_all"
        case .plain: "plain"
        }
    }

    /// The features that must not be masked for it.
    private var needs: [KernelFeature] {
        switch self {
        case .kernelPolling, .plain: []
        case .deferTaskrun: [.deferTaskrun, .submitAll]
        case .coopTaskrun: [.coopTaskrun, .submitAll]
        case .submitAll: [.submitAll]
        }
    }

    /// The rungs to try, from the top.
    package static func ladder(for options: UringDriverOptions) -> [SetupRung] {
        allCases.filter { rung in
            if rung == .kernelPolling { return options.kernelPolling != nil }
            return options.featuresOff.isDisjoint(with: rung.needs)
        }
    }
}
