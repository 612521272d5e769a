/// Calls back whenever a descriptor that belongs to somebody else is readable.
///
/// > Thread: On-loop only.
/// > Ownership: The descriptor stays its owner's and must stay open until `cancel` has called back.
package final class DescriptorWatch: DescriptorOwner {
    private let loop: EventLoop
    private let descriptor: Descriptor
    private var onReadable: (() -> Void)?
    private var whenCancelled: (() -> Void)?
    private var token: OperationToken?

    init(loop: EventLoop, descriptor: Descriptor, onReadable: @escaping () -> Void) {
        self.loop = loop
        self.descriptor = descriptor
        self.onReadable = onReadable
    }

    func arm() {
        guard token == nil, onReadable != nil, slot != .none else { return }
        let token = loop.begin(.poll, on: slot)
        self.token = token
        loop.driver.base.poll(
            token,
            on: descriptor,
            events: .readable,
            isMultishot: loop.driver.base.capabilities.multishotPoll
        )
    }

    /// Ends the watch; `whenCancelled` is called when the kernel no longer looks at the descriptor.
    package func cancel(whenCancelled: (() -> Void)? = nil) {
        loop.checkOnLoop()
        guard onReadable != nil else { return }
        onReadable = nil
        self.whenCancelled = whenCancelled
        loop.close(slot, mode: .letGo)
    }

    /// Calls back for readiness, and arms the poll again when it ended.
    package override func operationCompleted(_ completion: Completion) {
        if completion.isOf(.cancel) { return }
        if completion.isTerminal { token = nil }
        if completion.result > 0 { onReadable?() }
        // EBADF and the like would come back at once, for ever.
        let failed = completion.result < 0 && completion.errno != .cancelled
        if completion.isTerminal, !failed { arm() }
    }

    /// What it began that may still be in flight.
    package override var operationTokens: [OperationToken] { token.map { [$0] } ?? [] }

    /// Tells whoever cancelled that the kernel no longer looks at the descriptor.
    package override func descriptorClosed() {
        let action = whenCancelled
        whenCancelled = nil
        action?()
    }

    /// Ends the watch; the descriptor stays open.
    package override func endForShutdown() {
        cancel()
    }
}

extension EventLoop {
    /// Watches a descriptor of somebody else.
    ///
    /// The callback runs on the loop; it must read, or it is not called again.
    ///
    /// > Thread: On-loop only.
    package func watch(
        _ descriptor: Descriptor,
        onReadable: @escaping () -> Void
    ) -> DescriptorWatch {
        checkOnLoop()
        let watch = DescriptorWatch(loop: self, descriptor: descriptor, onReadable: onReadable)
        _ = descriptors.adopt(descriptor, owner: watch)
        watch.arm()
        return watch
    }
}
