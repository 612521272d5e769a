internal import Synchronization
internal import UringEngine

/// Decides for each use of a verb whether it goes wrong, and counts the uses.
///
/// Several drivers may share one plan: then it counts over all of them.
///
/// > Thread: Any thread.
package final class FaultPlan: Sendable {
    private struct State {
        var counts: [FaultSite: Int] = [:]
        var allCount = 0
        var usedCount = 0
        var isArmed: Bool
    }

    /// What goes wrong; the first rule that fits counts.
    package let rules: [FaultRule]
    private let state: Mutex<State>

    /// Makes a plan of these rules; without any it only counts.
    ///
    /// - Parameters:
    ///   - rules: what goes wrong.
    ///   - isArmed: it counts from the start; otherwise from `arm` on.
    package init(_ rules: [FaultRule] = [], isArmed: Bool = true) {
        self.rules = rules
        self.state = Mutex(State(isArmed: isArmed))
    }

    /// Begins to count, and to let verbs fail.
    package func arm() {
        state.withLock { $0.isArmed = true }
    }

    /// Lets everything go well from now on, uncounted.
    package func disarm() {
        state.withLock { $0.isArmed = false }
    }

    /// How often a verb was used while the plan was armed.
    package func count(of site: FaultSite) -> Int {
        state.withLock { $0.counts[site, default: 0] }
    }

    /// How often any verb but `wait` was used while the plan was armed.
    package var allCount: Int { state.withLock { $0.allCount } }

    /// How many faults there were.
    package var usedCount: Int { state.withLock { $0.usedCount } }

    /// Counts one use of a verb, and says what is to go wrong with it.
    func decide(_ site: FaultSite) -> Fault? {
        state.withLock { state in
            guard state.isArmed else { return nil }
            let ownCount = state.counts[site, default: 0] + 1
            state.counts[site] = ownCount
            // A loop turns as often as it likes: waits would make the other numbers mean nothing.
            if site != .wait { state.allCount += 1 }
            for rule in rules {
                if let fault = rule.fault(at: site, ownCount: ownCount, allCount: state.allCount) {
                    state.usedCount += 1
                    return fault
                }
            }
            return nil
        }
    }
}
