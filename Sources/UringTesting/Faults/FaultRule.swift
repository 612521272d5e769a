package import UringEngine

/// What a verb is made to say in place of the kernel.
///
/// > Thread: Any thread.
package struct Fault: Hashable, Sendable {
    /// When an operation fails.
    package enum Moment: String, Hashable, Sendable, CaseIterable {
        /// It never reaches the kernel.
        case beforehand
        /// The kernel carries it out; then its result is lost.
        case afterwards
    }

    /// The error that is reported.
    package let errno: Errno
    /// When an operation fails; a verb that answers at once is never carried out.
    package let moment: Moment

    /// Describes a fault.
    package init(_ errno: Errno, _ moment: Moment = .beforehand) {
        self.errno = errno
        self.moment = moment
    }
}

/// Which uses of a verb go wrong, and how.
///
/// > Thread: Any thread.
package struct FaultRule: Hashable, Sendable {
    /// Which of the uses, counted from one.
    package enum Turn: Hashable, Sendable {
        /// This one alone.
        case number(Int)
        /// Each n-th.
        case every(Int)
    }

    /// The verb; nil counts all verbs together, `wait` excepted.
    package let site: FaultSite?
    /// Which of its uses.
    package let turn: Turn
    private let chosen: Fault?
    private let moment: Fault.Moment

    /// Makes one verb fail.
    package init(_ site: FaultSite, _ turn: Turn, _ fault: Fault) {
        self.site = site
        self.turn = turn
        self.chosen = fault
        self.moment = fault.moment
    }

    private init(turn: Turn, moment: Fault.Moment) {
        self.site = nil
        self.turn = turn
        self.chosen = nil
        self.moment = moment
    }

    /// Makes the `number`-th use of any verb fail, with an error that is usual for that verb.
    package static func failAfter(_ number: Int, _ moment: Fault.Moment) -> FaultRule {
        FaultRule(turn: .number(number), moment: moment)
    }

    /// The fault for one use of a verb, or nil.
    ///
    /// `ownCount` counts that verb's uses, `allCount` those of every verb, this one included.
    func fault(at site: FaultSite, ownCount: Int, allCount: Int) -> Fault? {
        guard self.site.map({ $0 == site }) ?? (site != .wait) else { return nil }
        let count = self.site == nil ? allCount : ownCount
        let isDue =
            switch turn {
            case .number(let number): count == number
            case .every(let step): count % step == 0
            }
        guard isDue else { return nil }
        return chosen ?? Fault(site.usualErrno(moment), moment)
    }
}

extension FaultSite {
    /// An error that this verb is known for: one that passes beforehand, one for good afterwards.
    fileprivate func usualErrno(_ moment: Fault.Moment) -> Errno {
        let passes = moment == .beforehand
        return switch self {
        case .accept: passes ? .connectionAborted : .tooManyFiles
        case .connect: passes ? .timedOut : .connectionRefused
        case .receive, .discard: passes ? .interrupted : .connectionReset
        case .receiveMessage: passes ? .noBuffers : .connectionRefused
        case .trySend: passes ? .again : .connectionRefused
        case .send, .sendMessage: passes ? .noBuffers : .brokenPipe
        case .poll: passes ? .again : .noMemory
        case .cancel: passes ? .notFound : .already
        case .adopt: .invalid
        case .wait: .badDescriptor
        case .openStreamSocket, .openDatagramSocket: passes ? .noBuffers : .tooManyFiles
        case .bind: passes ? .accessDenied : .addressInUse
        case .listen: .addressInUse
        case .setOption, .localAddress: .noBuffers
        case .peerAddress: .notConnected
        // Not ENOTCONN: with that goes a connection that has ended, and this one has not.
        case .shutdown: .invalid
        case .outputState, .incomingCPU: .notSupported
        case .connectAtOnce: passes ? .again : .connectionRefused
        case .openFile: passes ? .interrupted : .tooManyFiles
        case .readFile, .changeFile, .inspectPath: passes ? .again : .inputOutput
        case .writeFile: passes ? .interrupted : .noSpace
        case .changeNames: passes ? .interrupted : .accessDenied
        case .closeFile: passes ? .interrupted : .inputOutput
        case .readStream: passes ? .interrupted : Errno(rawValue: 5)
        case .writeStream: passes ? .again : .brokenPipe
        case .openPipe, .takeEnd, .checkPollable: passes ? .noMemory : .tooManyFiles
        case .setPermissions, .setFilePermissions, .fileStatus, .isBound, .unlink:
            passes ? .accessDenied : .noMemory
        }
    }
}
