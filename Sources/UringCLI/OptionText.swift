internal import ArgumentParser
internal import UringCore

/// The value of an option, as it was written.
///
/// Parsing takes any text. Were it read there, a value that is not accepted would end the tool with a
/// usage text and status 64; it is a bad setting like any other: one line, and status 78.
struct OptionText: ExpressibleByArgument, ExpressibleByStringLiteral {
    let text: String

    init(argument: String) {
        text = argument
    }

    init(stringLiteral text: String) {
        self.text = text
    }

    /// What help shows as the default.
    var defaultValueDescription: String { text }

    /// A whole number within bounds, in digits only.
    func whole(_ name: String, in range: ClosedRange<Int>) throws(ConfigurationError) -> Int {
        let isDigits = text.utf8.allSatisfy { (48...57).contains($0) }
        guard isDigits, let value = Int(text), range.contains(value) else {
            throw error(name, "a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// A number above zero.
    func number(_ name: String, atMost limit: Double) throws(ConfigurationError) -> Double {
        // A NaN is greater than nothing.
        guard let value = Double(text), value > 0, value <= limit else {
            throw error(name, "a number above 0, at most \(Int(limit))")
        }
        return value
    }

    /// One of a few words.
    func choice<Value: RawRepresentable<String> & CaseIterable>(
        _ name: String
    ) throws(ConfigurationError) -> Value {
        guard let value = Value(rawValue: text) else {
            throw error(name, Value.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return value
    }

    private func error(_ name: String, _ accepted: String) -> ConfigurationError {
        ConfigurationError(variable: name, value: text, accepted: accepted)
    }
}
