import Testing
import UringEngine

/// One set of kernel features to run a behaviour on: from everything down to what the oldest kernel has.
struct Rung: Sendable, CustomTestStringConvertible {
    let name: String
    let featuresOff: Set<KernelFeature>

    var testDescription: String { name }

    /// A receive ends by itself after its byte budget, so that bulk peers never empty the pool.
    var keepsReceiveBudget: Bool {
        featuresOff.isDisjoint(with: [.bufferRing, .multishotReceive, .receiveBudget])
    }

    static let everything = Rung(name: "everything", featuresOff: [])

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
        Rung(name: "no multishot accept", featuresOff: [.multishotAccept]),
        Rung(name: "no receive budget", featuresOff: [.receiveBudget]),
        Rung(name: "no multishot poll", featuresOff: [.multishotPoll]),
        Rung(name: "no registered ring", featuresOff: [.registeredRing, .noIOWait]),
        Rung(name: "nothing", featuresOff: Set(KernelFeature.allCases)),
    ]
}
