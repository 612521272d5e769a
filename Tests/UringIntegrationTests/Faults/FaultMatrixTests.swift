import Glibc
import Testing
import UringTesting

@testable import UringEngine

extension Integration {
    /// Every verb of the seam with every errno, the first time, in the middle, and again and again.
    @Suite("Every verb, every errno") struct FaultMatrixTests {
        static let errnos: [Errno] = [
            .interrupted, .again, .cancelled, .noBuffers, .noMemory, .tooManyFiles,
            .connectionReset, .brokenPipe, .timedOut, .invalid, .badDescriptor,
            Errno(rawValue: EIO),
        ]

        /// `incomingCPU` is asked by listeners of several shards alone.
        static let sites = FaultSite.allCases.filter { $0 != .incomingCPU }

        @Test(arguments: sites)
        func endsWell(site: FaultSite) throws {
            let scenario = try #require(FaultScenario.using(site))
            let count = try uses(of: site, in: scenario)
            for errno in Self.errnos {
                for turn in Self.turns(of: count) {
                    for moment in site.isOperation ? Fault.Moment.allCases : [.beforehand] {
                        let fault = Fault(errno, moment)
                        let plan = FaultPlan([FaultRule(site, turn, fault)])
                        let cell = "\(site) \(errno) \(turn) \(moment.rawValue)"
                        try FaultRun(scenario: scenario, plan: plan, cell: cell).run()
                        if turn == .number(1) { #expect(plan.usedCount == 1, "\(cell)") }
                    }
                }
            }
        }

        /// The rungs below handle other completions: an operation a buffer, a poll in its place.
        @Test(arguments: Rung.all, sites.filter(\.isOperation))
        func endsWellOnEveryRung(rung: Rung, site: FaultSite) throws {
            let scenario = try #require(FaultScenario.using(site))
            for errno in [Errno.again, .noBuffers, .connectionReset] {
                for moment in Fault.Moment.allCases {
                    let plan = FaultPlan([FaultRule(site, .every(2), Fault(errno, moment))])
                    let cell = "\(rung.name): \(site) \(errno) \(moment.rawValue)"
                    try FaultRun(scenario: scenario, plan: plan, cell: cell, rung: rung).run()
                }
            }
        }

        private func uses(of site: FaultSite, in scenario: FaultScenario) throws -> Int {
            let plan = FaultPlan()
            try FaultRun(scenario: scenario, plan: plan, cell: "\(site), no fault").run()
            let count = plan.count(of: site)
            try #require(count > 0, "\(scenario.name) uses \(site)")
            return count
        }

        /// The first, one in the middle, and every third.
        private static func turns(of count: Int) -> [FaultRule.Turn] {
            [.number(1), .number(count / 2 + 1), .every(3)]
        }
    }
}

extension FaultScenario {
    /// A scenario that uses a verb, more than once where that can be.
    fileprivate static func using(_ site: FaultSite) -> FaultScenario? {
        all.first { $0.name == name(using: site) }
    }

    private static func name(using site: FaultSite) -> String {
        switch site {
        case .accept: "accepts"
        case .connect, .openStreamSocket: "three connects"
        case .receive, .send, .wait, .adopt, .incomingCPU: "echo"
        case .sendMessage: "large writes"
        case .discard: "close while the peer sends"
        case .poll: "a watch of a descriptor"
        case .cancel: "pauses of reading"
        case .setOption, .localAddress, .peerAddress: "addresses and options"
        case .shutdown, .outputState: "write and close"
        case .bind, .listen, .setPermissions: "a Unix listener that moves"
        case .connectAtOnce: "Unix connects"
        case .receiveMessage, .trySend, .openDatagramSocket: "datagrams"
        case .readStream, .writeStream, .openPipe: "pipes"
        case .takeEnd: "adopted pipes"
        case .checkPollable: "a reader that comes and goes"
        case .setFilePermissions, .fileStatus, .isBound, .unlink: "a file that was left behind"
        case .openFile, .readFile, .writeFile, .changeFile, .inspectPath, .changeNames, .closeFile:
            "files"
        }
    }
}
