import Testing
import UringEngine

/// One set of kernel features to run a behaviour on: from everything down to what the oldest
/// kernel has, and epoll, which needs none of them.
struct Rung: Sendable, CustomTestStringConvertible {
    let name: String
    let featuresOff: Set<KernelFeature>
    var backend = BackendChoice.uring
    /// Sends of as many bytes are made without a copy; zero for none.
    var zeroCopyThreshold = 0
    /// The kernel keeps the time of connects.
    var linksConnectTimeouts = false

    var testDescription: String { name }

    /// A receive ends by itself after its byte budget, so that bulk peers never empty the pool.
    var keepsReceiveBudget: Bool {
        featuresOff.isDisjoint(with: [.bufferRing, .multishotReceive, .receiveBudget])
    }

    /// Buffers that may still come after a receive was told to end.
    ///
    /// A receive that stays armed hands over 33 a round, and one enter runs several rounds while
    /// the peer keeps sending (99 buffers were seen). Without DEFER_TASKRUN rounds run between
    /// enters too: there the pool, 256 buffers, is the bound. Where the kernel keeps a budget it
    /// stops the first round; it counts bytes, and what fills less than half a buffer is copied out
    /// when it is parked.
    var overshootBuffers: Int {
        let isMultishot = featuresOff.isDisjoint(with: [.bufferRing, .multishotReceive])
        if !isMultishot || keepsReceiveBudget { return 33 }
        return featuresOff.isDisjoint(with: [.deferTaskrun, .submitAll]) ? 4 * 33 : 256
    }

    static let everything = Rung(name: "everything", featuresOff: [])
    static let nothing = Rung(name: "nothing", featuresOff: Set(KernelFeature.allCases))

    static let all = [
        everything,
        Rung(name: "no defer_taskrun", featuresOff: [.deferTaskrun]),
        Rung(name: "no task-run flags", featuresOff: [.deferTaskrun, .coopTaskrun]),
        Rung(
            name: "plain ring",
            featuresOff: [.deferTaskrun, .coopTaskrun, .submitAll]
        ),
        Rung(name: "no buffer ring", featuresOff: [.bufferRing]),
        Rung(name: "no multishot receive", featuresOff: [.multishotReceive]),
        Rung(name: "no multishot recvmsg", featuresOff: [.multishotReceiveMessage]),
        Rung(name: "no multishot accept", featuresOff: [.multishotAccept]),
        Rung(name: "no receive budget", featuresOff: [.receiveBudget]),
        Rung(name: "no multishot poll", featuresOff: [.multishotPoll]),
        Rung(name: "no registered ring", featuresOff: [.registeredRing, .noIOWait]),
        nothing,
        epoll,
    ]

    /// With one more, on which every TCP send reads its bytes where they lie.
    ///
    /// Not for peers with a receive buffer of 4 KiB: their window may stay just below a segment then, and
    /// TCP sends a segment each 200 ms.
    static let withZeroCopy =
        all + [Rung(name: "zero-copy sends", featuresOff: [], zeroCopyThreshold: 1)]

    /// With two more, on which the kernel is asked to keep the time of connects, and can or cannot.
    static let withLinkedTimeouts =
        all + [
            Rung(name: "linked timeouts", featuresOff: [], linksConnectTimeouts: true),
            Rung(
                name: "linked timeouts, masked",
                featuresOff: [.linkedTimeout],
                linksConnectTimeouts: true
            ),
        ]

    /// No ring at all.
    static let epoll = Rung(name: "epoll", featuresOff: [], backend: .epoll)
}
