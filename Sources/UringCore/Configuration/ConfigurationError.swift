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
        "\(variable)='\(printableValue)' is not accepted: use \(accepted)"
    }

    /// The environment may hold line ends and terminal sequences, which would break or hide the
    /// line.
    private var printableValue: String {
        value.unicodeScalars.reduce(into: "") { text, scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator:
                text += scalar.escaped(asASCII: true)
            default: text.unicodeScalars.append(scalar)
            }
        }
    }
}
