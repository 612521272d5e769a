/// Connects to the first address of a list that answers, one after the other, within one timeout.
///
/// > Thread: On-loop only.
/// > Ownership: It keeps itself alive until it has called `completion`, exactly once.
final class StreamConnector {
    private let loop: EventLoop
    private let options: StreamOptions
    // Let go of with the end: whoever keeps the handle may be kept by them.
    private var makeHandler: (() throws -> any StreamHandler)?
    private var completion: ((Result<StreamTransport, any Error>) -> Void)?
    private var remaining: ArraySlice<SocketAddress>
    private var timer: TimerID?
    private var attempt: ConnectAttempt?
    private var lastError: IOError
    /// Why nothing more is tried.
    private var stopReason: IOError.Reason?

    init(
        loop: EventLoop,
        addresses: [SocketAddress],
        options: StreamOptions,
        makeHandler: @escaping () throws -> any StreamHandler,
        completion: @escaping (Result<StreamTransport, any Error>) -> Void
    ) {
        self.loop = loop
        self.options = options
        self.makeHandler = makeHandler
        self.completion = completion
        self.remaining = addresses[...]
        self.lastError = IOError(
            .connect,
            reason: .invalidArgument,
            detail: "the list of addresses is empty"
        )
    }

    func start(timeout: Duration) {
        let deadline = Deadline.after(timeout, from: loop.driver.base.now())
        timer = loop.addTimer(
            at: deadline.nanoseconds,
            .closure { [self] in
                timer = nil
                stop(.deadlineExceeded)
            }
        )
        // Not at once: the completion never runs before `connect` has returned.
        loop.callSoon { self.tryNext() }
    }

    /// Gives up; the completion still comes, after what is under way was reaped.
    func stop(_ reason: IOError.Reason) {
        if stopReason == nil { stopReason = reason }
        attempt?.cancel()
    }

    private func tryNext() {
        if let stopError { return finish(.failure(stopError)) }
        guard let address = remaining.popFirst() else { return finish(.failure(lastError)) }
        do throws(IOError) {
            let descriptor = try loop.driver.base.openStreamSocket(for: address)
            let attempt = ConnectAttempt(loop: loop, descriptor: descriptor, address: address) {
                self.attempted($0, kind: StreamKind(address))
            }
            self.attempt = attempt
            _ = loop.descriptors.adopt(descriptor, owner: attempt)
            attempt.start()
        } catch {
            lastError = error
            loop.callSoon { self.tryNext() }
        }
    }

    private func attempted(_ result: Result<Descriptor, IOError>, kind: StreamKind) {
        attempt = nil
        switch result {
        case .failure(let error) where error.reason == .cancelled:
            // The loop is shutting down: nothing new begins.
            finish(.failure(error))
        case .failure(let error):
            lastError = error
            tryNext()
        case .success(let descriptor):
            if stopReason == .cancelled {
                loop.driver.base.close(descriptor)
                return tryNext()
            }
            connected(descriptor, kind: kind)
        }
    }

    private func connected(_ descriptor: Descriptor, kind: StreamKind) {
        do {
            if kind == .tcp {
                try loop.driver.base.setOption(.noDelay(options.isNoDelay), on: descriptor)
            }
            guard let handler = try makeHandler?() else {
                preconditionFailure("a connector that has ended connects nothing")
            }
            let transport = loop.adopt(
                descriptor,
                kind: kind,
                options: options,
                handler: handler
            )
            finish(.success(transport))
        } catch {
            loop.driver.base.close(descriptor)
            finish(.failure(error))
        }
    }

    private var stopError: IOError? {
        stopReason.map { IOError(.connect, reason: $0, detail: lastError.detail) }
    }

    private func finish(_ result: Result<StreamTransport, any Error>) {
        if let timer { loop.cancelTimer(timer) }
        timer = nil
        makeHandler = nil
        completion.take()?(result)
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
    /// Connects to the first of `addresses` that answers.
    ///
    /// While the queue of a Unix listener is full, it is asked again until the timeout: after one
    /// millisecond, and in the end every 64.
    ///
    /// > Thread: On-loop only.
    ///
    /// - Parameters:
    ///   - addresses: tried in this order.
    ///   - timeout: for all of them together.
    ///   - options: how the stream behaves.
    ///   - makeHandler: called once, when a connection stands.
    ///   - completion: called once: the transport, or the last address's error, or
    ///     `.deadlineExceeded`, or `.closed` before it returns when the loop was shut down.
    /// - Returns: a handle that can take it back.
    @discardableResult
    public func connect(
        to addresses: [SocketAddress],
        timeout: Duration = .seconds(10),
        options: StreamOptions = StreamOptions(),
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
        connector.start(timeout: timeout)
        return ConnectHandle(connector: connector)
    }
}
