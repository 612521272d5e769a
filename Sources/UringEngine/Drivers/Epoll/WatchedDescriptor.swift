/// What the driver knows of one descriptor: whether it is watched, what it is ready for, and which
/// operations wait for that.
///
/// > Thread: On-loop only.
struct WatchedDescriptor {
    /// Counts the descriptors that had this number: an event of an earlier one is told by it.
    var generation: UInt32 = 0
    var state: State = .unwatched
    /// The first receive, discard or accept that waits.
    var readers = SlotIndex.none
    /// The first send or connect that waits.
    var writers = SlotIndex.none
    /// The first poll.
    var polls = SlotIndex.none
    /// The next in the list of those that have something to do.
    var nextReady = SlotIndex.none

    /// What is known, as claims.
    struct State: OptionSet {
        let rawValue: UInt8

        /// The set reports what it becomes ready for.
        static let watched = State(rawValue: 1)
        /// Also when it becomes writable.
        static let watchedForWriting = State(rawValue: 2)
        /// There may be something to read: no call has said otherwise since the last report.
        static let readable = State(rawValue: 4)
        /// There may be room to write.
        static let writable = State(rawValue: 8)
        /// The end of the input, or an error, was reported: a short read is not the last.
        static let ended = State(rawValue: 16)
        /// It is in the list of those that have something to do.
        static let queued = State(rawValue: 32)

        /// A descriptor is writable until a call says otherwise, which saves a report for each.
        static let unwatched: State = [.writable]
    }

    /// A list of operations.
    enum Side {
        case readers
        case writers
        case polls

        /// Where an operation of this kind waits.
        init(_ kind: OperationKind) {
            self =
                switch kind {
                case .accept, .receive, .discard, .receiveMessage, .readStream: .readers
                case .connect, .send, .writeStream: .writers
                case .poll: .polls
                case .cancel, .driverOwn:
                    preconditionFailure("a cancel is answered at once")
                case .file, .openFile:
                    preconditionFailure("epoll says nothing of files: they are done elsewhere")
                }
        }
    }

    /// The first of a list.
    subscript(side: Side) -> SlotIndex {
        get {
            switch side {
            case .readers: readers
            case .writers: writers
            case .polls: polls
            }
        }
        set {
            switch side {
            case .readers: readers = newValue
            case .writers: writers = newValue
            case .polls: polls = newValue
            }
        }
    }

    /// Some operation could go on now.
    @inline(__always)
    var hasSomethingToDo: Bool {
        readers != .none && state.contains(.readable)
            || writers != .none && state.contains(.writable)
    }

    /// The number belongs to another descriptor from here on.
    ///
    /// Its place in the list of those with something to do stays: the list is of numbers.
    mutating func forget() {
        assert(readers == .none && writers == .none && polls == .none, "nothing waits on it")
        generation &+= 1
        state = state.intersection(.queued).union(.unwatched)
    }
}
