/// A task in a wait queue, and what it gives or gets there.
///
/// > Thread: On-loop only.
final class WaitNode<Payload: ~Copyable>: @unchecked Sendable {
    // Sendable: a task that goes on elsewhere only posts a reference to the loop's thread.
    let waiter: Waiter
    var payload: Payload?
    /// It was taken out of the queue by whoever brought what it waits for.
    fileprivate(set) var isServed = false
    fileprivate var isLinked = false
    fileprivate var next: WaitNode?
    // Safety: the node before it holds this one, and takes the reference away with itself.
    fileprivate unowned(unsafe) var previous: WaitNode?

    init(loop: EventLoop, _ payload: consuming Payload?) {
        waiter = Waiter(loop: loop)
        self.payload = payload
    }
}

/// Tasks that wait on one shard for the same thing, served in the order in which they came.
///
/// A task that gives up leaves the queue without disturbing the others; a cancelled one is never
/// served.
///
/// > Thread: On-loop only, but for what says otherwise.
final class WaitQueue<Payload: ~Copyable>: @unchecked Sendable {
    // Safety: a task that goes on elsewhere only posts to the loop's thread.
    private let shard: Shard
    private var head: WaitNode<Payload>?
    private unowned(unsafe) var tail: WaitNode<Payload>?

    init(shard: Shard) {
        self.shard = shard
    }

    deinit {
        // One by one: a long chain would end by recursion.
        while let node = head {
            head = node.next
            node.next = nil
        }
    }

    /// The one that is served next; nil when none waits.
    var first: WaitNode<Payload>? {
        while let node = head {
            if node.waiter.isWaiting { return node }
            unlink(node)
        }
        return nil
    }

    /// Nobody waits.
    var isEmpty: Bool { first == nil }

    /// Takes the one that is served next out of the queue; `resume` must follow, after its payload was
    /// taken or put.
    func popFirst() -> WaitNode<Payload>? {
        guard let node = first else { return nil }
        unlink(node)
        node.isServed = true
        return node
    }

    /// Waits until somebody takes the node out and resumes it.
    ///
    /// - Parameters:
    ///   - node: with what the task gives.
    ///   - operation: for errors.
    ///   - giveBack: called on the shard when the task went on elsewhere after it was served, and will
    ///     not use what it got; with `false` when it was not served.
    /// - Throws: `.cancelled`, `.deadlineExceeded`, `.closed` when the shard has ended, `.wrongShard` when
    ///   the task went on elsewhere.
    func wait(
        _ node: WaitNode<Payload>,
        _ operation: IOError.Operation,
        orElse giveBack: @escaping @Sendable (_ wasServed: Bool) -> Void
    ) async throws(IOError) {
        append(node)
        let outcome = await shard.park(node.waiter)
        if outcome == .ready { return }
        // Here or elsewhere: one that was served has left the queue.
        shard.loop.perform {
            self.unlink(node)
            giveBack(node.isServed)
        }
        try shard.check(outcome, operation)
    }

    private func append(_ node: WaitNode<Payload>) {
        node.isLinked = true
        if let tail = unsafe tail {
            tail.next = node
            unsafe node.previous = tail
        } else {
            head = node
        }
        unsafe tail = node
    }

    private func unlink(_ node: WaitNode<Payload>) {
        guard node.isLinked else { return }
        node.isLinked = false
        let next = node.next
        let previous = unsafe node.previous
        node.next = nil
        unsafe node.previous = nil
        if let next { unsafe next.previous = previous } else { unsafe tail = previous }
        if let previous { previous.next = next } else { head = next }
    }
}
