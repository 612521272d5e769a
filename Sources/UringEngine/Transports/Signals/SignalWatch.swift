/// A handler of a signal on a loop.
///
/// A sigaction(2) handler writes an eventfd that the loop polls: no work happens in it, and it does not
/// matter which thread the kernel picks (a signalfd needs the signal blocked in every thread, and an
/// embedder's main thread was killed). Any number of handlers and loops may watch one signal; with the
/// last one of the process the signal has its previous action again.
///
/// Signals that come together may make one call. What a program sends itself arrives as any other.
///
/// > Thread: On-loop only.
/// > Ownership: The loop keeps the handler until `cancel`, or its own end; this object may be let go.
public final class SignalWatch {
    private weak var source: SignalSource?
    private let id: UInt64

    /// Starts to watch, as `EventLoop.addSignalHandler`.
    ///
    /// - Throws: as `EventLoop.addSignalHandler`.
    public convenience init(
        _ signal: Int32,
        on loop: EventLoop,
        _ action: @escaping () throws -> Void
    ) throws(IOError) {
        try self.init(signal, on: loop, action, ended: nil)
    }

    /// The same; `ended` is called when the loop ends before `cancel`.
    package init(
        _ signal: Int32,
        on loop: EventLoop,
        _ action: @escaping () throws -> Void,
        ended: (() -> Void)?
    ) throws(IOError) {
        let source = try loop.signalSource(signal)
        self.source = source
        self.id = source.add(action, ended: ended)
    }

    /// Takes the handler back, from inside its call too; none comes after it.
    public func cancel() {
        source?.remove(id)
        source = nil
    }
}

extension EventLoop {
    /// Calls `action` on the loop whenever a signal has come, beside all who watch it already.
    ///
    /// > Thread: On-loop only; so are the calls. What one throws goes to `onCallbackError`.
    ///
    /// - Returns: what takes it back; it may be let go.
    /// - Throws: EINVAL for one that cannot be caught (SIGKILL, SIGSTOP) or tells of a fault in the
    ///   program (SIGSEGV and the like); EBUSY for one that begins the drain of a running `Supervisor`;
    ///   `.closed` when the loop was shut down; EMFILE.
    @discardableResult
    public func addSignalHandler(
        _ signal: Int32,
        _ action: @escaping () throws -> Void
    ) throws(IOError) -> SignalWatch {
        try SignalWatch(signal, on: self, action)
    }

    /// Takes all handlers of a signal on this loop back.
    ///
    /// > Thread: On-loop only.
    ///
    /// - Returns: whether there was one.
    @discardableResult
    public func removeSignalHandlers(_ signal: Int32) -> Bool {
        checkOnLoop()
        guard let source = signalOwners[signal] as? SignalSource else { return false }
        source.end()
        return true
    }

    fileprivate func signalSource(_ signal: Int32) throws(IOError) -> SignalSource {
        try checkAdopting(.watchSignal)
        if let source = signalOwners[signal] as? SignalSource { return source }
        let source = try SignalSource(signal, loop: self)
        signalOwners[signal] = source
        source.start()
        return source
    }
}
