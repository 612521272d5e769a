internal import CUring
internal import Glibc

/// Connects to the first address of a list that answers, one after the other, within one timeout.
///
/// > Thread: On-loop only.
/// > Ownership: It keeps itself alive until it has called `completion`, exactly once.
final class TCPConnector {
    private let loop: EventLoop
    private let options: StreamOptions
    private let makeHandler: () throws -> any StreamHandler
    private let completion: (Result<StreamTransport, any Error>) -> Void
    private var remaining: ArraySlice<SocketAddress>
    private var timer: TimerID?
    private var attempt: ConnectAttempt?
    private var lastError: IOError
    private var isTimedOut = false

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
        timer = loop.addTimer(at: deadline.nanoseconds, .closure { self.timedOut() })
        // Not at once: the completion never runs before `connect` has returned.
        loop.callSoon { self.tryNext() }
    }

    private func timedOut() {
        timer = nil
        isTimedOut = true
        attempt?.cancel()
    }

    private func tryNext() {
        guard !isTimedOut else { return finish(.failure(deadlineError)) }
        guard let address = remaining.popFirst() else { return finish(.failure(lastError)) }
        do throws(IOError) {
            let descriptor = try loop.driver.base.openStreamSocket(for: address)
            let attempt = ConnectAttempt(loop: loop, descriptor: descriptor, address: address) {
                self.attempted($0)
            }
            self.attempt = attempt
            _ = loop.descriptors.adopt(descriptor, owner: attempt)
            try attempt.start()
        } catch {
            lastError = error
            loop.callSoon { self.tryNext() }
        }
    }

    private func attempted(_ result: Result<Descriptor, IOError>) {
        attempt = nil
        switch result {
        case .failure(let error) where error.reason == .cancelled:
            // The loop is shutting down: nothing new begins.
            finish(.failure(error))
        case .failure(let error):
            lastError = error
            tryNext()
        case .success(let descriptor):
            connected(descriptor)
        }
    }

    private func connected(_ descriptor: Descriptor) {
        do {
            try loop.driver.base.setOption(.noDelay(options.isNoDelay), on: descriptor)
            let handler = try makeHandler()
            finish(.success(loop.adopt(descriptor, options: options, handler: handler)))
        } catch {
            loop.driver.base.close(descriptor)
            finish(.failure(error))
        }
    }

    private var deadlineError: IOError {
        IOError(.connect, reason: .deadlineExceeded, detail: lastError.detail)
    }

    private func finish(_ result: Result<StreamTransport, any Error>) {
        if let timer { loop.cancelTimer(timer) }
        timer = nil
        completion(result)
    }
}

/// One socket's attempt to connect.
///
/// It ends with a connected descriptor, or with the descriptor closed and a reason.
///
/// > Thread: On-loop only.
package final class ConnectAttempt: DescriptorOwner {
    private let loop: EventLoop
    private let descriptor: Descriptor
    private let address: SocketAddress
    private let completion: (Result<Descriptor, IOError>) -> Void
    private var token: OperationToken?
    private var failure: IOError?

    init(
        loop: EventLoop,
        descriptor: Descriptor,
        address: SocketAddress,
        completion: @escaping (Result<Descriptor, IOError>) -> Void
    ) {
        self.loop = loop
        self.descriptor = descriptor
        self.address = address
        self.completion = completion
    }

    // Safety: the address lies in scratch memory that the operation holds until its terminal
    // completion.
    func start() throws(IOError) {
        let handle = loop.scratch.lend()
        do throws(IOError) {
            try unsafe address.store(in: &handle.message.pointee.address)
        } catch {
            loop.scratch.giveBack(handle)
            fail(error)
            return
        }
        let token = loop.begin(.connect, on: slot)
        loop.operations[token.slot].scratch = handle
        self.token = token
        unsafe loop.driver.base.connect(token, on: descriptor, to: handle.addressPointer)
    }

    /// Gives up; the completion still comes, after the operation was reaped.
    func cancel() {
        fail(
            IOError(
                .connect,
                descriptor: descriptor,
                reason: .deadlineExceeded,
                detail: "\(address)"
            )
        )
    }

    /// Lets the connected descriptor go to its transport, or fails.
    package override func operationCompleted(_ completion: Completion) {
        if completion.isOf(.cancel) { return }
        token = nil
        guard failure == nil else { return }
        if let errno = completion.errno {
            return fail(
                IOError(.connect, descriptor: descriptor, errno: errno, detail: "\(address)")
            )
        }
        // The descriptor leaves the table open, for the transport that takes it in.
        loop.close(slot, mode: .letGo)
    }

    /// What it began that may still be in flight.
    package override var operationTokens: [OperationToken] { token.map { [$0] } ?? [] }

    /// Reports the outcome; nothing is in flight any more.
    package override func descriptorClosed() {
        completion(failure.map { .failure($0) } ?? .success(descriptor))
    }

    /// Fails with `.cancelled`.
    package override func endForShutdown() {
        fail(IOError(.connect, descriptor: descriptor, reason: .cancelled, detail: "\(address)"))
    }

    private func fail(_ error: IOError) {
        guard failure == nil else { return }
        failure = error
        loop.close(slot, mode: .reset)
    }
}

extension EventLoop {
    /// Connects to the first of `addresses` that answers.
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
    public func connect(
        to addresses: [SocketAddress],
        timeout: Duration = .seconds(10),
        options: StreamOptions = StreamOptions(),
        makeHandler: @escaping () throws -> any StreamHandler,
        completion: @escaping (Result<StreamTransport, any Error>) -> Void
    ) {
        checkOnLoop()
        guard state != .shutDown else {
            // Nothing runs on this loop any more that could answer later.
            return completion(.failure(IOError(.connect, reason: .closed)))
        }
        let connector = TCPConnector(
            loop: self,
            addresses: addresses,
            options: options,
            makeHandler: makeHandler,
            completion: completion
        )
        connector.start(timeout: timeout)
    }
}
