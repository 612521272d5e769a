/// The datagrams of an endpoint, one after the other, until its shard drains.
///
/// What the network says of earlier datagrams is passed over: who wants to hear of it calls
/// `DatagramEndpoint.receive(timeout:)`.
///
/// > Thread: As its endpoint.
public struct DatagramSequence: AsyncSequence, Sendable {
    /// One datagram, copied.
    public struct Element: Hashable, Sendable {
        /// Its bytes; none is possible.
        public let bytes: [UInt8]
        /// Who sent it.
        public let sender: SocketAddress
        /// It was longer than there was room for.
        public let isTruncated: Bool
    }

    /// What ends the sequence before the drain.
    public typealias Failure = IOError

    let endpoint: DatagramEndpoint

    /// Goes through what comes.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let endpoint: DatagramEndpoint

        /// The next datagram; nil when the shard drains.
        ///
        /// - Throws: as `DatagramEndpoint.receive(timeout:)`, but for errors of the network.
        public mutating func next() async throws(IOError) -> Element? {
            while true {
                do throws(IOError) {
                    guard let datagram = try await endpoint.receive() else { return nil }
                    return Element(
                        bytes: datagram.copyToArray(),
                        sender: datagram.sender,
                        isTruncated: datagram.isTruncated
                    )
                } catch {
                    guard error.errno != nil, !endpoint.isClosing else { throw error }
                }
            }
        }

        /// The same, wherever the caller is isolated.
        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(IOError) -> Element? {
            try await next()
        }
    }

    /// Begins to go through what comes.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(endpoint: endpoint)
    }
}
