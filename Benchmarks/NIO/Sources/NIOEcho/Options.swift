/// What the command line asks for.
struct Options {
    /// How the echo is written.
    enum Style: String, CaseIterable {
        case channel
        case async
        /// As `async`, with NIO's loop as the pool of Swift concurrency.
        case asyncOnePool = "async-one-pool"
    }

    var host = "127.0.0.1"
    var port = 0
    var style = Style.channel
    var threads = 1

    /// Reads `--host A --port N --style S --threads N`.
    init(_ arguments: [String]) throws(UsageError) {
        var rest = arguments[...]
        while let name = rest.popFirst() {
            guard let value = rest.popFirst() else {
                throw UsageError(text: "\(name) needs a value")
            }
            try set(name, to: value)
        }
        guard port > 0 else { throw UsageError(text: "--port is required") }
    }

    private mutating func set(_ name: String, to value: String) throws(UsageError) {
        switch name {
        case "--host": host = value
        case "--port": port = try Self.number(value, of: name, in: 1...65535)
        case "--threads": threads = try Self.number(value, of: name, in: 1...1024)
        case "--style":
            guard let known = Style(rawValue: value) else {
                let all = Style.allCases.map(\.rawValue).joined(separator: ", ")
                throw UsageError(text: "--style \(value): one of \(all) is accepted")
            }
            style = known
        default: throw UsageError(text: "\(name) isn't known")
        }
    }

    private static func number(
        _ text: String,
        of name: String,
        in range: ClosedRange<Int>
    ) throws(UsageError) -> Int {
        guard let number = Int(text), range.contains(number) else {
            throw UsageError(
                text: "\(name) \(text): \(range.lowerBound) to \(range.upperBound) is accepted"
            )
        }
        return number
    }
}

/// A command line that can't be used; the text says what was wrong with it.
struct UsageError: Error {
    let text: String
}
