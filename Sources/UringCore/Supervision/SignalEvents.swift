internal import CUring
internal import Synchronization

/// Signals as readable descriptors: a sigaction(2) handler writes an eventfd, and no work happens in it.
///
/// > Thread: Any thread.
/// > Ownership: The previous actions are restored by `release`, or when this ends.
final class SignalEvents: Sendable {
    private struct Event: Sendable {
        let signal: Int32
        let waker: EventDescriptorWaker
    }

    private let events: Mutex<[Event]>

    /// Catches signals, each alone.
    ///
    /// - Throws: EBUSY when one is watched already in this process, EINVAL for one that cannot be caught.
    init(_ signals: [Int32]) throws(IOError) {
        var caught: [Event] = []
        for signal in signals {
            do throws(IOError) {
                caught.append(try Self.catching(signal))
            } catch {
                Self.release(caught)
                throw error
            }
        }
        self.events = Mutex(caught)
    }

    deinit {
        release()
    }

    private static func catching(_ signal: Int32) throws(IOError) -> Event {
        let waker = try EventDescriptorWaker()
        let result = cu_catch_signal(signal, waker.descriptor.rawValue, true)
        guard result == 0 else {
            throw IOError(.watchSignal, errno: Errno(result: result), detail: "signal \(signal)")
        }
        return Event(signal: signal, waker: waker)
    }

    /// Readable when their signal came; none after `release`.
    var descriptors: [Descriptor] { events.withLock { $0.map(\.waker.descriptor) } }

    /// The signal that makes a descriptor readable.
    func signal(of descriptor: Descriptor) -> Int32? {
        events.withLock { events in
            events.first { $0.waker.descriptor == descriptor }?.signal
        }
    }

    /// Restores the previous actions.
    func release() {
        let caught = events.withLock { events in
            defer { events = [] }
            return events
        }
        Self.release(caught)
    }

    private static func release(_ events: [Event]) {
        for event in events {
            cu_release_signal(event.signal, event.waker.descriptor.rawValue)
        }
    }
}
