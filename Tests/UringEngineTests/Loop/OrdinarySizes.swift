import Testing
import UringEngine

extension Trait where Self == ConditionTrait {
    /// The test counts in the sizes of an ordinary build, and means nothing in a tiny one.
    static var ordinarySizes: Self {
        .enabled(if: !StandardSizes.areTiny, "it counts in ordinary sizes")
    }
}
