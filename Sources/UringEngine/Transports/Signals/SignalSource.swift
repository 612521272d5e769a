internal import CUring
internal import Glibc

/// One signal on one loop: an eventfd that the signal's handler writes, and those who want to know.
///
/// > Thread: On-loop only.
/// > Ownership: It owns the eventfd, which outlives the kernel's poll of it.
package final class SignalSource: DescriptorOwner {
    /// One who wants to know.
    struct Handler {
        let id: UInt64
        let action: () throws -> Void
        /// Told when the loop ends.
        let ended: (() -> Void)?
    }

    /// How long a poll rests that the kernel had no memory for.
    private static let pauseNanoseconds: UInt64 = 10_000_000

    private let loop: EventLoop
    private let signal: Int32
    private let event: EventDescriptorWaker
    private var handlers: [Handler] = []
    private var idsGiven: UInt64 = 0
    private var token: OperationToken?
    private var timer: TimerID?

    /// Catches the signal; others may do so too.
    init(_ signal: Int32, loop: EventLoop) throws(IOError) {
        try Self.check(signal)
        self.loop = loop
        self.signal = signal
        event = try EventDescriptorWaker()
        let result = cu_catch_signal(signal, event.descriptor.rawValue, false)
        guard result == 0 else {
            throw Self.refused(signal, Errno(result: result))
        }
    }

    /// Signals that a fault of the program itself raises: its instruction would be run again for ever,
    /// since the handler does nothing about it.
    private static let faults: Set<Int32> = [
        SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP,
    ]

    private static func check(_ signal: Int32) throws(IOError) {
        if faults.contains(signal) { throw refused(signal, .invalid) }
    }

    private static func refused(_ signal: Int32, _ errno: Errno) -> IOError {
        let why =
            switch errno {
            case .busy: ": the runtime drains with it"
            case .invalid where faults.contains(signal): ": it tells of a fault in the program"
            case .invalid: ": it cannot be caught"
            default: ""
            }
        return IOError(.watchSignal, errno: errno, detail: "signal \(signal)\(why)")
    }

    func start() {
        _ = loop.descriptors.adopt(event.descriptor, owner: self)
        arm()
    }

    // MARK: Handlers

    /// - Returns: the number to remove it by.
    func add(_ action: @escaping () throws -> Void, ended: (() -> Void)?) -> UInt64 {
        idsGiven += 1
        handlers.append(Handler(id: idsGiven, action: action, ended: ended))
        return idsGiven
    }

    /// Removes one; with the last the signal has its previous action again.
    func remove(_ id: UInt64) {
        handlers.removeAll { $0.id == id }
        if handlers.isEmpty { end() }
    }

    private var isOver: Bool { loop.signalOwners[signal] !== self }

    /// Removes all.
    func end() {
        guard !isOver else { return }
        handlers = []
        if let timer { loop.cancelTimer(timer) }
        timer = nil
        loop.signalOwners[signal] = nil
        cu_release_signal(signal, event.descriptor.rawValue)
        loop.close(slot, mode: .letGo)
    }

    // MARK: The owner's part

    private func arm() {
        guard token == nil, slot != .none, !isOver else { return }
        let token = loop.begin(.poll, on: slot)
        self.token = token
        loop.driver.base.poll(
            token,
            on: event.descriptor,
            events: .readable,
            isMultishot: loop.driver.base.capabilities.multishotPoll
        )
    }

    /// Calls the handlers, and polls again when that ended.
    package override func operationCompleted(_ completion: Completion) {
        guard completion.isOf(.poll) else { return }
        if completion.isTerminal { token = nil }
        guard !isOver else { return }
        switch completion.errno {
        case nil: callHandlers()
        case .some(.cancelled), .some(.again), .some(.interrupted): break
        case .some:
            // Asking again at once would spin.
            let instant = loop.driver.base.now() &+ Self.pauseNanoseconds
            timer = loop.addTimer(at: instant, .closure { [weak self] in self?.arm() })
            return
        }
        if completion.isTerminal { arm() }
    }

    private func callHandlers() {
        // First: a signal that comes during the calls is another one.
        event.drain()
        for handler in handlers where handlers.contains(where: { $0.id == handler.id }) {
            loop.run(handler.action, origin: .signal)
        }
    }

    /// What it began that may still be in flight.
    package override var operationTokens: [OperationToken] { token.map { [$0] } ?? [] }

    /// Ends, and tells.
    package override func endForShutdown() {
        let told = handlers
        end()
        for handler in told { handler.ended?() }
    }
}
