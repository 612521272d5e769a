/// A setting that cannot be used: its name, its value, and what is accepted.
///
/// > Thread: Any thread.
public struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The environment variable.
    public let variable: String
    /// What it was set to.
    public let value: String
    /// What it may be set to.
    public let accepted: String

    /// Describes a bad setting.
    public init(variable: String, value: String, accepted: String) {
        self.variable = variable
        self.value = value
        self.accepted = accepted
    }

    /// One line, whatever bytes the value is made of.
    public var description: String {
        "\(variable)='\(PrintableText(value))' is not accepted: use \(accepted)"
    }
}
