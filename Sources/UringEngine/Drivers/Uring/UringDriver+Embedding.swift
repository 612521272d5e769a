internal import CUring

// Safety: `raw` lives as long as the driver.
extension UringDriver {
    /// The ring's own descriptor, but with DEFER_TASKRUN: then the kernel wakes nobody who waits for
    /// that, since completions are made only when this thread enters (seen on Linux 6.18: SQ_TASKRUN was
    /// up, and epoll_wait(2) slept on).
    package func turnDescriptor() throws(IOError) -> Descriptor? {
        guard ring.rung == .deferTaskrun else { return ring.descriptor }
        if let turn { return turn.descriptor }
        let made = try TurnDescriptor(waker: wakeSource)
        let result = unsafe cu_register_event(raw, made.event.descriptor.rawValue)
        guard result == 0 else {
            throw SetupFailure.noDescriptor(Errno(result: result), from: "io_uring_register")
        }
        turn = made
        return made.descriptor
    }

    /// Takes the signals back; work that is deferred to this thread is signalled when it is the first.
    package func beginTurn() {
        turn?.drain()
    }
}

/// What tells a foreign loop that a ring with DEFER_TASKRUN wants a turn.
///
/// The ring signals an eventfd for the first piece of deferred work, and wakes write theirs; a set of
/// both is one descriptor. The waker's is in it by itself, since the ring's signal for a wake comes from
/// inside of another eventfd's, which the kernel puts off.
///
/// > Thread: On-loop only.
final class TurnDescriptor {
    let event: EventDescriptorWaker
    private let waker: EventDescriptorWaker
    private let set: EpollSet

    init(waker: EventDescriptorWaker) throws(IOError) {
        self.waker = waker
        event = try EventDescriptorWaker()
        set = try EpollSet()
        for source in [event, waker] {
            if let failure = set.add(source.descriptor, for: UInt32(CU_EVENT_READ), word: 0) {
                throw SetupFailure.noDescriptor(failure, from: "epoll_ctl")
            }
        }
    }

    var descriptor: Descriptor { Descriptor(rawValue: set.descriptor) }

    func drain() {
        event.drain()
        waker.drain()
    }
}
