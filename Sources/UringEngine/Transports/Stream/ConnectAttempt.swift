internal import CUring

/// One socket's attempt to connect.
///
/// It ends with a connected descriptor, or with the descriptor closed and a reason.
///
/// > Thread: On-loop only.
package final class ConnectAttempt: DescriptorOwner {
    /// The shortest and the longest pause before a full queue is asked again.
    private static let retryNanoseconds: ClosedRange<UInt64> = 1_000_000...64_000_000

    private let loop: EventLoop
    private let descriptor: Descriptor
    private let address: SocketAddress
    /// When the kernel is to give up, on the driver's clock; nil leaves that to whoever waits.
    private let deadline: UInt64?
    private let completion: (Result<Descriptor, IOError>) -> Void
    /// The kernel keeps the deadline.
    private(set) var isTimed = false
    private var token: OperationToken?
    private var isConnected = false
    private var failure: IOError?
    private var retryTimer: TimerID?
    private var retryNanoseconds = ConnectAttempt.retryNanoseconds.lowerBound

    init(
        loop: EventLoop,
        descriptor: Descriptor,
        address: SocketAddress,
        deadline: UInt64? = nil,
        completion: @escaping (Result<Descriptor, IOError>) -> Void
    ) {
        self.loop = loop
        self.descriptor = descriptor
        self.address = address
        self.deadline = deadline
        self.completion = completion
    }

    func start() {
        switch StreamKind(address) {
        case .tcp: submit()
        case .unix: connectAtOnce()
        case .pipe: preconditionFailure("no address leads to a pipe")
        }
    }

    // Safety: the address lies in scratch memory that the operation holds until its terminal
    // completion.
    private func submit() {
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
        let driver = loop.driver.base
        if let deadline {
            unsafe handle.message.pointee.address.deadline = __kernel_timespec(
                tv_sec: Int64(clamping: deadline / 1_000_000_000),
                tv_nsec: Int64(deadline % 1_000_000_000)
            )
            isTimed = unsafe driver.connectInTime(token, on: descriptor, to: handle.addressPointer)
            if isTimed { return }
        }
        unsafe driver.connect(token, on: descriptor, to: handle.addressPointer)
    }

    /// Connects a Unix socket without an operation: the kernel answers at once, whatever the
    /// listener does.
    ///
    /// A ring would ask a full queue 128 times and then leave it to a worker thread: 273 µs of CPU
    /// for the EAGAIN that takes 2 µs here (Linux 6.18).
    private func connectAtOnce() {
        retryTimer = nil
        do throws(IOError) {
            try loop.driver.base.connectAtOnce(descriptor, to: address)
            connected()
        } catch {
            guard error.errno == .again else { return fail(error) }
            retryTimer = loop.addTimer(
                at: loop.driver.base.now() &+ retryNanoseconds,
                .closure { [weak self] in self?.connectAtOnce() }
            )
            retryNanoseconds = min(retryNanoseconds * 2, Self.retryNanoseconds.upperBound)
        }
    }

    /// Gives up; the completion still comes, after the operation was reaped.
    func cancel() {
        fail(
            IOError(
                .connect,
                descriptor: descriptor,
                reason: .deadlineExceeded,
                detail: retryTimer == nil ? "\(address)" : "\(address): its queue is full"
            )
        )
    }

    /// Lets the connected descriptor go to its transport, or fails.
    package override func operationCompleted(_ completion: Completion) {
        if completion.isOf(.cancel) { return }
        token = nil
        guard failure == nil else { return }
        if let errno = completion.errno {
            // Nobody else has cancelled it.
            if isTimed, errno == .cancelled { return cancel() }
            return fail(
                IOError(.connect, descriptor: descriptor, errno: errno, detail: "\(address)")
            )
        }
        connected()
    }

    /// The descriptor leaves the table open, for the transport that takes it in.
    private func connected() {
        isConnected = true
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
        guard failure == nil, !isConnected else { return }
        failure = error
        if let retryTimer { loop.cancelTimer(retryTimer) }
        retryTimer = nil
        loop.close(slot, mode: StreamKind(address).abortMode)
    }
}
