import Testing

/// What `uringcore info --json` says, by paths such as `cores.cpus.0`.
struct InfoOutput {
    let values: [String: String]
    /// What came on standard error.
    let errors: [String]

    /// Runs the tool behind `wrapper`, a command that ends in another command, and expects success.
    init(
        wrapper: [String] = [],
        binary: String = Programs.uringcore,
        environment: [String: String] = [:],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let command = Programs.peer("flatten.py") + wrapper + [binary, "info", "--json"]
        let tool = try ChildProcess(command, environment: environment)
        let output = try tool.wait()
        #expect(tool.end == .status(0), "\(tool.errorText)", sourceLocation: sourceLocation)
        let pairs = output.split(separator: "\n").map { line in
            let parts = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
            return (String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
        }
        values = Dictionary(pairs) { first, _ in first }
        errors = tool.errorLines
    }

    subscript(path: String) -> String? { values[path] }

    /// The elements of a list.
    func list(_ path: String) -> [String] {
        (0...).lazy.map { values["\(path).\($0)"] }.prefix { $0 != nil }.compactMap { $0 }
    }

    /// The features, by name.
    var features: [String: (isOn: Bool, reason: String)] {
        var features: [String: (isOn: Bool, reason: String)] = [:]
        for place in 0... {
            guard let name = values["features.\(place).name"] else { break }
            features[name] = (
                values["features.\(place).isOn"] == "true",
                values["features.\(place).reason"] ?? ""
            )
        }
        return features
    }
}
