/// Reads typed values out of an environment.
///
/// Nothing falls back to a default in silence: only an absent variable does.
///
/// > Thread: Any thread.
struct SettingReader {
    let environment: [String: String]

    /// A whole number within bounds.
    func integer(
        _ variable: Setting,
        default fallback: Int,
        in range: ClosedRange<Int>
    ) throws(ConfigurationError) -> Int {
        guard let text = environment[variable.rawValue] else { return fallback }
        guard let value = Self.parse(text), range.contains(value) else {
            throw error(
                variable,
                text,
                "a whole number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return value
    }

    /// A whole number within bounds; nil for `auto`, as for none.
    func integerUnlessAuto(
        _ variable: Setting,
        in range: ClosedRange<Int>
    ) throws(ConfigurationError) -> Int? {
        guard let text = environment[variable.rawValue], text != "auto" else { return nil }
        guard let value = Self.parse(text), range.contains(value) else {
            throw error(
                variable,
                text,
                "auto or a whole number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return value
    }

    /// A power of two within bounds.
    func powerOfTwo(
        _ variable: Setting,
        default fallback: Int,
        in range: ClosedRange<Int>
    ) throws(ConfigurationError) -> Int {
        guard let text = environment[variable.rawValue] else { return fallback }
        guard let value = Self.parse(text), range.contains(value), value & (value - 1) == 0 else {
            throw error(
                variable,
                text,
                "a power of two from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return value
    }

    /// `1` or `0`.
    func flag(_ variable: Setting, default fallback: Bool) throws(ConfigurationError) -> Bool {
        switch environment[variable.rawValue] {
        case nil: return fallback
        case "1": return true
        case "0": return false
        case .some(let text): throw error(variable, text, "0 or 1")
        }
    }

    /// One of a few words.
    func choice<Value: RawRepresentable<String> & CaseIterable>(
        _ variable: Setting,
        default fallback: Value
    ) throws(ConfigurationError) -> Value {
        guard let text = environment[variable.rawValue] else { return fallback }
        guard let value = Value(rawValue: text) else {
            throw error(variable, text, Self.list(Value.self))
        }
        return value
    }

    /// Words separated by commas; empty for none.
    func choices<Value: RawRepresentable<String> & CaseIterable & Hashable>(
        _ variable: Setting
    ) throws(ConfigurationError) -> Set<Value> {
        guard let text = environment[variable.rawValue], !text.isEmpty else { return [] }
        var values: Set<Value> = []
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let value = Value(rawValue: String(word)) else {
                throw error(
                    variable,
                    text,
                    "any of " + Self.list(Value.self) + ", with commas between"
                )
            }
            values.insert(value)
        }
        return values
    }

    /// The error of a variable.
    func error(_ variable: Setting, _ value: String, _ accepted: String) -> ConfigurationError {
        ConfigurationError(variable: variable.rawValue, value: value, accepted: accepted)
    }

    /// Digits only: no sign, no blank, no underscore.
    static func parse(_ text: String) -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return Int(text)
    }

    private static func list<Value: RawRepresentable<String> & CaseIterable>(
        _ type: Value.Type
    ) -> String {
        Value.allCases.map(\.rawValue).joined(separator: ", ")
    }
}
