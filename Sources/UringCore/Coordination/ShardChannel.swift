internal import DequeModule

/// A bounded queue between tasks of one shard: no lock, no other thread.
///
/// ```swift
/// let jobs = ShardChannel<ReceivedBytes>(capacity: 16, on: shard)
/// try await jobs.send(bytes)                       // waits while it is full
/// while let bytes = try await jobs.receive() { }   // nil once it was finished and is empty
/// ```
///
/// Elements may be values that only move, such as received bytes: they cross it without a copy. Who
/// came first is served first, on either side. It is an `AsyncSequence` where its elements can be
/// copied.
///
/// > Thread: On its shard only; elsewhere every call throws `.wrongShard`. A reference may go anywhere.
/// > Ownership: It holds what was sent until it is received. Elements that are left end with it.
public final class ShardChannel<Element: ~Copyable & Sendable>: @unchecked Sendable {
    // Sendable: every way in checks that it is on the loop's thread.
    // Safety: as above.
    /// How many elements it holds before `send` waits.
    public let capacity: Int
    /// The shard that it lives on.
    public let shard: Shard
    private var elements = UniqueDeque<Element>()
    private let senders: WaitQueue<Element>
    private let receivers: WaitQueue<Element>
    private var hasFinished = false

    /// Makes an empty channel.
    ///
    /// - Parameters:
    ///   - capacity: how many elements it holds; with zero or less, each `send` waits for its receiver.
    ///   - shard: where its users are.
    public init(capacity: Int, on shard: Shard) {
        self.capacity = Swift.max(0, capacity)
        self.shard = shard
        senders = WaitQueue(shard: shard)
        receivers = WaitQueue(shard: shard)
    }

    /// How many elements it holds now.
    ///
    /// - Throws: `.wrongShard`.
    public var count: Int {
        get throws(IOError) {
            try shard.check(.receive)
            return elements.count
        }
    }

    // MARK: Sending

    /// Sends an element, and waits while the channel is full.
    ///
    /// > Ownership: The element moves in, and ends with a throw: it was not sent then.
    ///
    /// - Parameter element: what to send.
    /// - Throws: `.closed` after `finish`, `.cancelled`, `.deadlineExceeded`, `.wrongShard`.
    public func send(_ element: consuming Element) async throws(IOError) {
        var moving: Element? = element
        try shard.check(.send)
        guard let element = put(&moving) else { return }
        guard !hasFinished else { throw closed(.send) }
        let node = WaitNode<Element>(loop: shard.loop, element)
        try await senders.wait(node, .send) { _ in }
        // `finish` leaves it there.
        if node.payload != nil { throw closed(.send) }
    }

    /// Sends an element if that takes no wait.
    ///
    /// - Parameter element: what to send.
    /// - Returns: nil when it was sent; the element when the channel is full.
    /// - Throws: `.closed` after `finish`, `.wrongShard`; the element ends then.
    public func trySend(_ element: consuming Element) throws(IOError) -> Element? {
        var moving: Element? = element
        try shard.check(.send)
        guard !hasFinished else { throw closed(.send) }
        return put(&moving)
    }

    /// - Returns: the element, when it has to wait.
    private func put(_ moving: inout Element?) -> Element? {
        guard !hasFinished else { return moving.take() }
        if let receiver = receivers.popFirst() {
            receiver.payload = moving.take()
            receiver.waiter.resume()
        } else if elements.count < capacity, let element = moving.take() {
            elements.append(element)
        }
        return moving.take()
    }

    /// Ends it: what it holds can still be received, and nothing more is sent.
    ///
    /// Who waits to send is told.
    ///
    /// - Throws: `.wrongShard`.
    public func finish() throws(IOError) {
        try shard.check(.close)
        hasFinished = true
        while let sender = senders.popFirst() { sender.waiter.resume() }
        while let receiver = receivers.popFirst() { receiver.waiter.resume() }
    }

    // MARK: Receiving

    /// Takes the first element, or waits for it.
    ///
    /// - Returns: nil when the channel was finished and holds nothing.
    /// - Throws: `.cancelled`, `.deadlineExceeded`: no element is lost by either; `.wrongShard`.
    public func receive() async throws(IOError) -> Element? {
        if let element = try tryReceive() { return element }
        guard !hasFinished else { return nil }
        let node = WaitNode<Element>(loop: shard.loop, nil)
        try await receivers.wait(node, .receive) { [weak self] wasServed in
            guard wasServed, let element = node.payload.take() else { return }
            self?.restore(element)
        }
        return node.payload.take()
    }

    /// Takes the first element, if there is one.
    ///
    /// - Throws: `.wrongShard`.
    public func tryReceive() throws(IOError) -> Element? {
        try shard.check(.receive)
        let element = elements.popFirst()
        if let sender = senders.popFirst() {
            let next = sender.payload.take()
            sender.waiter.resume()
            guard element != nil else { return next }
            if let next { elements.append(next) }
        }
        return element
    }

    /// What a task got that went on elsewhere is the first again.
    private func restore(_ element: consuming Element) {
        guard let receiver = receivers.popFirst() else { return elements.prepend(element) }
        receiver.payload = consume element
        receiver.waiter.resume()
    }

    private func closed(_ operation: IOError.Operation) -> IOError {
        IOError(operation, reason: .closed, detail: "the channel was finished")
    }
}

extension ShardChannel: AsyncSequence {
    /// Receives until the channel was finished and is empty.
    ///
    /// > Thread: On the channel's shard.
    public struct AsyncIterator: AsyncIteratorProtocol {
        private let channel: ShardChannel

        fileprivate init(_ channel: ShardChannel) {
            self.channel = channel
        }

        /// As `receive`.
        public mutating func next() async throws(IOError) -> Element? {
            try await channel.receive()
        }

        /// As `receive`, where the caller is.
        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(IOError) -> Element? {
            try await channel.receive()
        }
    }

    /// Begins to receive; several iterators share what comes.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }
}
