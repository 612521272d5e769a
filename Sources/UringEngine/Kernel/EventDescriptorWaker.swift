internal import CUring
internal import Glibc

/// A waker that writes an eventfd (eventfd(2)).
///
/// > Thread: Any thread.
package final class EventDescriptorWaker: Waker {
    /// The eventfd, open as long as this object lives.
    package let descriptor: Descriptor

    /// Opens a non-blocking eventfd.
    ///
    /// - Throws: EMFILE, ENFILE, ENOMEM as errors of `.openSocket`.
    package init() throws(IOError) {
        let result = cu_event_descriptor()
        guard result >= 0 else {
            throw IOError(.openSocket, errno: Errno(result: result), detail: "eventfd")
        }
        self.descriptor = Descriptor(rawValue: result)
    }

    deinit {
        _ = cu_close(descriptor.rawValue)
    }

    /// Adds one to the counter.
    package func wake() {
        var one: UInt64 = 1
        // EAGAIN means that the counter is full: then it is readable, which is all a wake has to
        // achieve.
        // Safety: the kernel reads the eight bytes during the call.
        _ = unsafe write(descriptor.rawValue, &one, MemoryLayout<UInt64>.size)
    }

    /// Takes the counter back to zero, for a poll that is not multishot.
    package func drain() {
        var count: UInt64 = 0
        // Safety: the kernel writes the eight bytes during the call.
        _ = unsafe read(descriptor.rawValue, &count, MemoryLayout<UInt64>.size)
    }
}
