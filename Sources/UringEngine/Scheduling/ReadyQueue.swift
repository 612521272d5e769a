internal import DequeModule

/// A first-in first-out queue of jobs without a lock: the loop's own ready list, and the batch that
/// it takes its posts into.
///
/// > Thread: On-loop only.
/// > Ownership: Holds its jobs until they are popped; drops those that are left.
package struct ReadyQueue: ~Copyable {
    // A UniqueDeque: without copies there is no check, at each change, whether the storage is
    // shared.
    var jobs: UniqueDeque<Job>

    /// Makes an empty queue with room for `capacity` jobs; it grows when more come.
    package init(capacity: Int = 0) {
        jobs = UniqueDeque(minimumCapacity: capacity)
    }

    /// How many jobs wait.
    package var count: Int { jobs.count }

    /// Whether none waits.
    package var isEmpty: Bool { jobs.isEmpty }

    /// How many jobs fit before it allocates again.
    package var capacity: Int { jobs.capacity }

    /// Adds a job behind the others.
    @inline(__always)
    package mutating func append(_ job: consuming Job) {
        jobs.append(job)
    }

    /// Takes the job that waits longest; nil when none waits.
    @inline(__always)
    package mutating func popFirst() -> Job? {
        jobs.popFirst()
    }

    /// Drops all jobs; keeps the memory.
    ///
    /// - Precondition: None is an executor job: a task whose step is dropped never ends.
    package mutating func removeAll() {
        jobs.removeAll()
    }
}
