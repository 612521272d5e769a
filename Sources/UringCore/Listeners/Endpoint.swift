/// Where to listen or to connect.
///
/// > Thread: Any thread.
public enum Endpoint: Hashable, Sendable {
    /// A host and a port.
    ///
    /// To listen: a numeric IPv4 or IPv6 address; port 0 takes a free one, the same for all shards. To
    /// connect: such an address, or a name, which is resolved.
    case tcp(host: String, port: UInt16)
    /// A Unix-domain socket in the file system.
    case unix(path: String)
    /// A Unix-domain socket with a name of Linux's own, without a file and without permissions.
    case abstract(name: String)

    /// The kernel's form; a name has none before it is resolved, which only connecting does.
    ///
    /// - Throws: `.invalidArgument` that names the text and what is accepted.
    public func resolve() throws(IOError) -> SocketAddress {
        switch self {
        case .tcp(let host, let port): try SocketAddress(host: host, port: port)
        case .unix(let path): try SocketAddress(unixPath: path)
        case .abstract(let name): try SocketAddress(abstractName: name)
        }
    }
}
