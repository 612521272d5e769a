/// A name that may lead to an address: letters, digits, hyphens and underscores between dots.
///
/// > Thread: Any thread.
public struct HostName: Hashable, Sendable, CustomStringConvertible {
    /// The name as it was given.
    public let description: String

    /// Checks a name (RFC 1123; an underscore is let through, as service names have it).
    ///
    /// A name in other letters is written in its ASCII form (`xn--`). What has digits and dots alone is
    /// no name, but an IPv4 address that was mistyped.
    ///
    /// - Throws: `.invalidArgument` that names the text and what is accepted.
    public init(_ text: String) throws(IOError) {
        let bytes = Array(text.utf8)
        guard (1...253).contains(bytes.count) else {
            throw Self.refused(text, "a name has 1 to 253 bytes; got \(bytes.count)")
        }
        guard bytes.allSatisfy(Self.isAccepted) else {
            throw Self.refused(text, "a name has letters, digits, hyphens, underscores and dots")
        }
        // The last dot stands for the root.
        let whole = bytes.last == UInt8(ascii: ".") ? bytes.dropLast() : bytes[...]
        let labels = whole.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard labels.allSatisfy({ (1...63).contains($0.count) }) else {
            throw Self.refused(text, "between two dots a name has 1 to 63 bytes")
        }
        guard labels.last?.contains(where: { !Self.isDigit($0) }) ?? false else {
            throw Self.refused(text, "this is neither a name nor an IPv4 address")
        }
        description = text
    }

    /// Checks a port to connect to.
    ///
    /// - Throws: `.invalidArgument` for port 0, which nobody listens on.
    static func check(port: UInt16) throws(IOError) {
        guard port == 0 else { return }
        throw IOError(
            .connect,
            reason: .invalidArgument,
            detail: "port 0 cannot be connected to; ports are 1 to 65535"
        )
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }

    private static func isAccepted(_ byte: UInt8) -> Bool {
        isDigit(byte) || (65...90).contains(byte) || (97...122).contains(byte)
            || [45, 46, 95].contains(byte)
    }

    private static func refused(_ text: String, _ why: String) -> IOError {
        IOError(
            .resolve,
            reason: .invalidArgument,
            detail: "\(PrintableText(String(text.prefix(120)))): \(why)"
        )
    }
}
