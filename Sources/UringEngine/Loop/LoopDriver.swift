/// The drivers a loop can stand on: a closed set for speed, and one open place for tests.
///
/// A plain word without a reference count: the loop keeps the driver itself. No generics: the
/// loop's type does not name its driver. The hot verbs switch here and inline; the rest goes
/// through `base`.
///
/// > Thread: On-loop only.
@safe package enum LoopDriver {
    // Safety: `EventLoop.driverOwner` keeps what this refers to.
    case uring(Unmanaged<UringDriver>)
    case epoll(Unmanaged<EpollDriver>)
    case custom(Unmanaged<CustomDriver>)

    /// The driver as the seam sees it, for verbs off the hot path.
    package var base: any KernelDriver {
        switch self {
        case .uring(let driver): unsafe driver.takeUnretainedValue()
        case .epoll(let driver): unsafe driver.takeUnretainedValue()
        case .custom(let box): unsafe box.takeUnretainedValue().driver
        }
    }

    @inline(__always)
    var hasUnreadCompletions: Bool {
        switch self {
        case .uring(let driver): unsafe driver._withUnsafeGuaranteedRef { $0.hasUnreadCompletions }
        case .epoll(let driver): unsafe driver._withUnsafeGuaranteedRef { $0.hasUnreadCompletions }
        case .custom: base.hasUnreadCompletions
        }
    }

    @inline(__always)
    func submitAndWait(_ bound: WaitBound) throws(IOError) {
        // The borrowed call takes no typed throws; the error comes out beside it.
        var failure: IOError?
        switch self {
        case .uring(let driver):
            unsafe driver._withUnsafeGuaranteedRef { driver in
                do throws(IOError) {
                    try driver.submitAndWait(bound)
                } catch {
                    failure = error
                }
            }
        case .epoll(let driver):
            unsafe driver._withUnsafeGuaranteedRef { driver in
                do throws(IOError) {
                    try driver.submitAndWait(bound)
                } catch {
                    failure = error
                }
            }
        case .custom: try base.submitAndWait(bound)
        }
        if let failure { throw failure }
    }

    @inline(__always)
    func reap(into batch: inout CompletionBatch) {
        switch self {
        case .uring(let driver): unsafe driver._withUnsafeGuaranteedRef { $0.reap(into: &batch) }
        case .epoll(let driver): unsafe driver._withUnsafeGuaranteedRef { $0.reap(into: &batch) }
        case .custom: base.reap(into: &batch)
        }
    }

    @inline(__always)
    func receive(
        _ token: OperationToken,
        from descriptor: Descriptor,
        byteBudget: Int,
        waitForReadiness: Bool
    ) {
        base.receive(
            token,
            from: descriptor,
            byteBudget: byteBudget,
            waitForReadiness: waitForReadiness
        )
    }

    // Safety: the caller keeps `bytes` valid until the terminal completion, as `KernelDriver` asks.
    @inline(__always)
    func send(_ token: OperationToken, on descriptor: Descriptor, bytes: UnsafeRawBufferPointer) {
        switch self {
        case .uring(let driver):
            unsafe driver._withUnsafeGuaranteedRef {
                unsafe $0.send(token, on: descriptor, bytes: bytes)
            }
        case .epoll(let driver):
            unsafe driver._withUnsafeGuaranteedRef {
                unsafe $0.send(token, on: descriptor, bytes: bytes)
            }
        case .custom: unsafe base.send(token, on: descriptor, bytes: bytes)
        }
    }

    // Safety: the caller keeps bytes and address during the call.
    @inline(__always)
    func trySend(_ datagram: OutgoingDatagram, on descriptor: Descriptor) -> Int32 {
        switch self {
        case .uring, .epoll: datagram.send(on: descriptor)
        case .custom: base.trySend(datagram, on: descriptor)
        }
    }

    @inline(__always)
    func provide(_ buffers: UnsafeBufferPointer<BufferID>) {
        switch self {
        case .uring(let driver):
            unsafe driver._withUnsafeGuaranteedRef { unsafe $0.provide(buffers) }
        case .epoll(let driver):
            unsafe driver._withUnsafeGuaranteedRef { unsafe $0.provide(buffers) }
        case .custom: unsafe base.provide(buffers)
        }
    }

    @inline(__always)
    func publish() {
        switch self {
        case .uring(let driver): unsafe driver._withUnsafeGuaranteedRef { $0.publish() }
        case .epoll(let driver): unsafe driver._withUnsafeGuaranteedRef { $0.publish() }
        case .custom: base.publish()
        }
    }
}

/// Holds a driver that the closed set does not know.
///
/// > Thread: On-loop only.
package final class CustomDriver {
    /// The driver.
    package let driver: any KernelDriver

    init(_ driver: any KernelDriver) {
        self.driver = driver
    }
}

/// A driver on its way into a loop.
///
/// > Thread: Before start only.
package enum DriverChoice {
    /// io_uring.
    case uring(UringDriver)
    /// epoll.
    case epoll(EpollDriver)
    /// Any other: a scripted or simulated kernel.
    case custom(any KernelDriver)
}
