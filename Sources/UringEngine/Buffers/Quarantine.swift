internal import DequeModule

/// Where returned buffers rest before the kernel gets them again: a debugging aid for
/// use-after-free in user code.
///
/// Nothing relies on the time: a buffer that the kernel was given is free only after its
/// operation's terminal completion, by ownership. Memory of an operation whose owner gave up early
/// stays with the owner, which the descriptor table keeps until the last completion.
///
/// > Thread: On-loop only.
package final class Quarantine {
    private struct Entry {
        let buffer: BufferID
        let releaseNanoseconds: UInt64
    }

    /// How long a buffer rests; zero for not at all.
    package let nanoseconds: UInt64
    private var entries = Deque<Entry>()

    /// Makes a quarantine of this length.
    package init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    /// Buffers resting.
    package var count: Int { entries.count }

    /// Puts a buffer to rest.
    package func hold(_ buffer: BufferID, now: UInt64) {
        entries.append(Entry(buffer: buffer, releaseNanoseconds: now &+ nanoseconds))
    }

    /// Takes out a buffer that has rested.
    package func release(now: UInt64) -> BufferID? {
        guard let first = entries.first, first.releaseNanoseconds <= now else { return nil }
        entries.removeFirst()
        return first.buffer
    }

    /// When the next buffer has rested; nil when none does.
    package var nextRelease: UInt64? {
        // Every park asks; only a quarantine in use looks into its queue.
        guard nanoseconds > 0 else { return nil }
        return entries.first?.releaseNanoseconds
    }
}
