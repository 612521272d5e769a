/// Which kernel features are in use, and why not where one is off: what `info` prints.
///
/// > Thread: Any thread.
package struct FeatureReport: Sendable {
    /// One feature's state.
    package struct Line: Hashable, Sendable {
        /// The feature.
        package let feature: KernelFeature
        /// It is in use.
        package let isOn: Bool
        /// What decided it.
        package let reason: String
    }

    private var states: [KernelFeature: Line] = [:]
    /// The operations on files that the ring has.
    package var fileOperations: FileOperations = []

    /// Starts with nothing known.
    package init() {}

    /// Every feature in its declared order.
    package var lines: [Line] {
        KernelFeature.allCases.map { feature in
            states[feature] ?? Line(feature: feature, isOn: false, reason: "not looked at")
        }
    }

    /// The feature is in use.
    package func isOn(_ feature: KernelFeature) -> Bool { states[feature]?.isOn ?? false }

    /// Notes what was found; a later note replaces an earlier one.
    package mutating func note(_ feature: KernelFeature, isOn: Bool, _ reason: String) {
        states[feature] = Line(feature: feature, isOn: isOn, reason: reason)
    }

    /// The reason of everything that the operator has switched off.
    package static let masked = "switched off in the configuration"
}
