/// Connects to the first address of a list that answers: one after the other, each with a head start
/// over the next (Happy Eyeballs, RFC 8305), all within one timeout.
///
/// > Thread: On-loop only.
/// > Ownership: It keeps itself alive until it has called `completion`, exactly once, and every attempt
///   that lost was closed.
final class StreamConnector {
    private static let attemptDelayMin = Duration.milliseconds(10)

    private let loop: EventLoop
    private let options: ConnectOptions
    // Let go of with the end: whoever keeps the handle may be kept by them.
    private var makeHandler: (() throws -> any StreamHandler)?
    private var completion: ((Result<StreamTransport, any Error>) -> Void)?
    private var remaining: ArraySlice<SocketAddress>
    /// On the driver's clock.
    private var deadline: UInt64 = 0
    private var timer: TimerID?
    private var nextTimer: TimerID?
    /// What is under way, by number.
    private var attempts: [Int: ConnectAttempt] = [:]
    private var attemptsBegun = 0
    private var failures: [(address: SocketAddress, error: IOError)] = []
    /// Why nothing more is tried.
    private var stopReason: IOError.Reason?

    init(
        loop: EventLoop,
        addresses: [SocketAddress],
        options: ConnectOptions,
        makeHandler: @escaping () throws -> any StreamHandler,
        completion: @escaping (Result<StreamTransport, any Error>) -> Void
    ) {
        self.loop = loop
        self.options = options
        self.makeHandler = makeHandler
        self.completion = completion
        self.remaining = addresses[...]
    }

    func start() {
        deadline = Deadline.after(options.timeout, from: loop.driver.base.now()).nanoseconds
        if !isTimedByKernel { setTimer() }
        // Not at once: the completion never runs before `connect` has returned.
        loop.callSoon { self.tryNext() }
    }

    /// One address is tried, so that the kernel can end it all.
    private var isTimedByKernel: Bool {
        guard loop.options.linksConnectTimeouts, remaining.count == 1, let address = remaining.first
        else { return false }
        return StreamKind(address) == .tcp && loop.driver.base.capabilities.linkedTimeout
    }

    private func setTimer() {
        timer = loop.addTimer(
            at: deadline,
            .closure { [self] in
                timer = nil
                stop(.deadlineExceeded)
            }
        )
    }

    /// Gives up; the completion still comes, after what is under way was reaped.
    func stop(_ reason: IOError.Reason) {
        if stopReason == nil { stopReason = reason }
        cancelAttempts()
    }

    private func cancelAttempts() {
        for number in attempts.keys.sorted() { attempts[number]?.cancel() }
    }

    // MARK: Attempts

    private func tryNext() {
        cancelNextTimer()
        guard stopReason == nil, completion != nil, let address = remaining.popFirst() else {
            return finishIfOver()
        }
        do throws(IOError) {
            begin(try open(for: address), address)
        } catch {
            failures.append((address, error))
            loop.callSoon { self.tryNext() }
        }
    }

    private func open(for address: SocketAddress) throws(IOError) -> Descriptor {
        let control = loop.driver.base
        try checkLocal(for: address)
        let descriptor = try control.openStreamSocket(for: address)
        do throws(IOError) {
            for option in options.optionsToSet { try control.setOption(option, on: descriptor) }
            if let local = options.localAddress { try control.bind(descriptor, to: local) }
            return descriptor
        } catch {
            control.close(descriptor)
            throw error
        }
    }

    private func checkLocal(for address: SocketAddress) throws(IOError) {
        guard let local = options.localAddress, local.family != address.family else { return }
        throw IOError(
            .bind,
            reason: .invalidArgument,
            detail: "\(local) is no address to connect to \(address) from: the families differ"
        )
    }

    private func begin(_ descriptor: Descriptor, _ address: SocketAddress) {
        let number = attemptsBegun
        attemptsBegun += 1
        let attempt = ConnectAttempt(
            loop: loop,
            descriptor: descriptor,
            address: address,
            deadline: timer == nil ? deadline : nil
        ) {
            self.attempted(number, address, $0)
        }
        attempts[number] = attempt
        _ = loop.descriptors.adopt(descriptor, owner: attempt)
        if !remaining.isEmpty {
            let delay = max(options.attemptDelay, Self.attemptDelayMin)
            nextTimer = loop.addTimer(
                after: delay,
                .closure { [self] in
                    nextTimer = nil
                    tryNext()
                }
            )
        }
        attempt.start()
        // The kernel did not take it over.
        if timer == nil, !attempt.isTimed, attempts[number] != nil { setTimer() }
    }

    private func attempted(
        _ number: Int,
        _ address: SocketAddress,
        _ result: Result<Descriptor, IOError>
    ) {
        attempts[number] = nil
        switch result {
        case .success(let descriptor): won(descriptor, kind: StreamKind(address))
        case .failure(let error):
            // One that lost was cancelled, and says nothing of the address.
            guard completion != nil else { return }
            failures.append((address, error))
            // The loop is shutting down: nothing new begins.
            if error.reason == .cancelled, stopReason == nil { stopReason = .cancelled }
            // The kernel's.
            if error.reason == .deadlineExceeded, stopReason == nil {
                stopReason = .deadlineExceeded
            }
            tryNext()
        }
    }

    private func won(_ descriptor: Descriptor, kind: StreamKind) {
        // Another was faster, or nobody wants it any more.
        guard completion != nil, stopReason != .cancelled else {
            loop.driver.base.close(descriptor)
            return finishIfOver()
        }
        connected(descriptor, kind: kind)
    }

    private func connected(_ descriptor: Descriptor, kind: StreamKind) {
        do {
            if kind == .tcp {
                let isNoDelay = options.stream.isNoDelay
                try loop.driver.base.setOption(.noDelay(isNoDelay), on: descriptor)
            }
            guard let handler = try makeHandler?() else {
                preconditionFailure("a connector that has ended connects nothing")
            }
            let transport = loop.adopt(
                descriptor,
                kind: kind,
                options: options.stream,
                handler: handler
            )
            finish(.success(transport))
        } catch {
            loop.driver.base.close(descriptor)
            finish(.failure(error))
        }
    }

    // MARK: The end

    private func finishIfOver() {
        guard attempts.isEmpty, stopReason != nil || remaining.isEmpty else { return }
        finish(.failure(failure))
    }

    /// The last address's error; where several were tried, all of them.
    private var failure: IOError {
        guard let last = failures.last?.error else {
            return IOError(
                .connect,
                reason: stopReason ?? .invalidArgument,
                detail: stopReason == nil ? "the list of addresses is empty" : nil
            )
        }
        guard failures.count > 1 else {
            return stopReason.map { IOError(.connect, reason: $0, detail: last.detail) } ?? last
        }
        let tried = failures.map { address, error in
            // It names the address as a rule, and may say more.
            let detail = error.detail ?? ""
            let what = detail.contains("\(address)") ? detail : "\(address) \(detail)"
            return "\(what): \(error.reason)"
        }.joined(separator: ", ")
        return IOError(
            .connect,
            reason: stopReason ?? last.reason,
            detail: "tried \(failures.count) addresses: \(tried)"
        )
    }

    private func finish(_ result: Result<StreamTransport, any Error>) {
        if let timer { loop.cancelTimer(timer) }
        timer = nil
        cancelNextTimer()
        makeHandler = nil
        let completion = completion.take()
        // They close what they have; nobody waits for that.
        cancelAttempts()
        completion?(result)
    }

    private func cancelNextTimer() {
        if let nextTimer { loop.cancelTimer(nextTimer) }
        nextTimer = nil
    }
}

/// A connect that can be taken back.
///
/// > Thread: On-loop only.
public struct ConnectHandle {
    fileprivate let connector: StreamConnector?

    /// Gives up: the completion comes with `.cancelled`, unless it came before.
    public func cancel() {
        connector?.stop(.cancelled)
    }
}

extension EventLoop {
    /// Connects to the first of `addresses` that answers, as the other form does.
    ///
    /// > Thread: On-loop only.
    ///
    /// - Parameters:
    ///   - addresses: tried in this order.
    ///   - timeout: for all of them together.
    ///   - options: how the stream behaves.
    ///   - makeHandler: called once, when a connection stands.
    ///   - completion: as of the other form.
    /// - Returns: a handle that can take it back.
    @discardableResult
    public func connect(
        to addresses: [SocketAddress],
        timeout: Duration = .seconds(10),
        options: StreamOptions = StreamOptions(),
        makeHandler: @escaping () throws -> any StreamHandler,
        completion: @escaping (Result<StreamTransport, any Error>) -> Void
    ) -> ConnectHandle {
        var wanted = ConnectOptions()
        wanted.timeout = timeout
        wanted.stream = options
        return connect(
            to: addresses,
            using: wanted,
            makeHandler: makeHandler,
            completion: completion
        )
    }

    /// Connects to the first of `addresses` that answers.
    ///
    /// They are tried in this order, each beside those before it once these had their time
    /// (`ConnectOptions.attemptDelay`), at once when one fails. The first that answers wins; the others
    /// are cancelled and closed.
    ///
    /// While the queue of a Unix listener is full, it is asked again until the timeout: after one
    /// millisecond, and in the end every 64.
    ///
    /// > Thread: On-loop only.
    ///
    /// - Parameters:
    ///   - addresses: tried in this order.
    ///   - options: how long, from where, and how the stream behaves.
    ///   - makeHandler: called once, when a connection stands.
    ///   - completion: called once: the transport, or the last address's error that names all that were
    ///     tried, or `.deadlineExceeded`, or `.closed` before it returns when the loop was shut down.
    /// - Returns: a handle that can take it back.
    @discardableResult
    public func connect(
        to addresses: [SocketAddress],
        using options: ConnectOptions,
        makeHandler: @escaping () throws -> any StreamHandler,
        completion: @escaping (Result<StreamTransport, any Error>) -> Void
    ) -> ConnectHandle {
        checkOnLoop()
        guard state != .shutDown else {
            // Nothing runs on this loop any more that could answer later.
            completion(.failure(IOError(.connect, reason: .closed)))
            return ConnectHandle(connector: nil)
        }
        let connector = StreamConnector(
            loop: self,
            addresses: addresses,
            options: options,
            makeHandler: makeHandler,
            completion: completion
        )
        connector.start()
        return ConnectHandle(connector: connector)
    }
}
