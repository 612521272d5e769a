package import UringCore

/// Where the load goes, as it is written on a command line.
///
/// > Thread: Any thread.
package struct LoadTarget: Hashable, Sendable {
    /// The addresses, tried in this order.
    package let addresses: [SocketAddress]

    private static let accepted =
        "127.0.0.1:7000, [::1]:7000, localhost:7000 (numeric addresses otherwise) or unix:PATH"

    /// Reads `127.0.0.1:7000`, `[::1]:7000`, `localhost:7000`, `unix:PATH` or `unix:@NAME`.
    ///
    /// Names are not resolved: `localhost` stands for the two loopback addresses (RFC 6761).
    ///
    /// - Throws: `ConfigurationError` that names the text and what is accepted.
    package init(_ text: String) throws(ConfigurationError) {
        if text.hasPrefix("unix:") {
            addresses = [try Self.unix(text)]
            return
        }
        guard let (host, port) = Self.split(text), port > 0 else { throw Self.error(text) }
        let hosts = host == "localhost" ? ["127.0.0.1", "::1"] : [host]
        do throws(IOError) {
            var addresses: [SocketAddress] = []
            for host in hosts { addresses.append(try SocketAddress(host: host, port: port)) }
            self.addresses = addresses
        } catch {
            throw Self.error(text)
        }
    }

    private static func unix(_ text: String) throws(ConfigurationError) -> SocketAddress {
        let path = String(text.dropFirst(5))
        do throws(IOError) {
            guard path.hasPrefix("@") else { return try SocketAddress(unixPath: path) }
            return try SocketAddress(abstractName: String(path.dropFirst()))
        } catch {
            throw ConfigurationError(
                variable: "HOST:PORT",
                value: text,
                accepted: "unix: with a path, or @ and an abstract name, of 1 to 107 bytes"
            )
        }
    }

    /// Splits at the last colon; an IPv6 address, which has colons of its own, stands in brackets.
    private static func split(_ text: String) -> (host: String, port: UInt16)? {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        var host = text[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        if isBracketed { host = host.dropFirst().dropLast() }
        guard host.contains(":") == isBracketed,
            digits.utf8.allSatisfy({ (48...57).contains($0) }), let port = UInt16(digits)
        else { return nil }
        return (String(host), port)
    }

    private static func error(_ text: String) -> ConfigurationError {
        ConfigurationError(variable: "HOST:PORT", value: text, accepted: accepted)
    }
}
