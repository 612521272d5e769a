/// Finds the addresses of a name.
///
/// `Configuration.resolver` says which one a server's shards use. A test gives its own.
///
/// > Thread: Any thread; it is asked on a shard.
public protocol Resolver: Sendable {
    /// Finds addresses, the best first.
    ///
    /// It must not block the shard: what blocks goes to `Shard.runInExecutor`.
    ///
    /// - Parameters:
    ///   - name: whose.
    ///   - port: what the addresses are to have.
    ///   - shard: the shard that asks, on whose thread this runs and returns.
    /// - Returns: the addresses; none counts as a name that was not found.
    /// - Throws: `.nameNotResolved`, and what kept it from asking.
    func addresses(
        of name: HostName,
        port: UInt16,
        on shard: Shard
    ) async throws(IOError) -> [SocketAddress]
}

/// Addresses that are known beforehand: for tests, and where no name server is to be asked.
///
/// > Thread: Any thread.
public struct StaticResolver: Resolver {
    private let hosts: [String: [SocketAddress]]

    /// Knows these names, in any case; the ports of the addresses do not count.
    public init(_ hosts: [String: [SocketAddress]]) {
        self.hosts = Dictionary(hosts.map { ($0.lowercased(), $1) }) { first, _ in first }
    }

    /// Looks the name up, without waiting.
    ///
    /// - Throws: `.nameNotResolved(.notFound)`.
    public func addresses(
        of name: HostName,
        port: UInt16,
        on shard: Shard
    ) async throws(IOError) -> [SocketAddress] {
        guard let found = hosts[name.description.lowercased()] else {
            throw IOError(.resolve, reason: .nameNotResolved(.notFound), detail: "\(name)")
        }
        return found.map { $0.with(port: port) }
    }
}

extension SocketAddress {
    /// The same address with another port; a Unix address stays as it is.
    func with(port: UInt16) -> SocketAddress {
        switch self {
        case .ipv4(let address, _): .ipv4(address, port: port)
        case .ipv6(let high, let low, _, let scope): .ipv6(high, low, port: port, scope: scope)
        case .unix: self
        }
    }

    /// Addresses in the order to try them in: the families take turns, beginning with that of the first
    /// (RFC 8305, section 4); none comes twice.
    static func interleaved(_ addresses: [SocketAddress]) -> [SocketAddress] {
        var seen: Set<SocketAddress> = []
        let distinct = addresses.filter { seen.insert($0).inserted }
        guard let first = distinct.first else { return [] }
        let preferred = distinct.filter { $0.family == first.family }
        let others = distinct.filter { $0.family != first.family }
        let pairs = zip(preferred, others).flatMap { [$0, $1] }
        return pairs + preferred.dropFirst(others.count) + others.dropFirst(preferred.count)
    }
}
