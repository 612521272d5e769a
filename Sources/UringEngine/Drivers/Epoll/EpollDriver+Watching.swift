internal import CUring

/// What the set watches, and polls, which ask for nothing else.
// Safety: slots keep their addresses.
extension EpollDriver {
    private static let reading = UInt32(CU_EVENT_READ) | UInt32(CU_EVENT_PEER_ENDED)
    private static let writing = UInt32(CU_EVENT_WRITE)
    private static let always = UInt32(CU_EVENT_FAILED) | UInt32(CU_EVENT_HUNG_UP)
    private static let endings = always | UInt32(CU_EVENT_PEER_ENDED)

    /// Has the set report what an operation waits for.
    ///
    /// A watch begins with the first operation that waits and is widened once, by the first that
    /// waits for room: a Unix socket would report room for each message that its peer takes. Either
    /// step reports what the descriptor is ready for now.
    ///
    /// - Returns: why it cannot be watched. A file that is always ready is none: it is taken as
    ///   ready.
    func watch(
        _ descriptor: Descriptor,
        _ known: UnsafeMutablePointer<WatchedDescriptor>,
        for side: WatchedDescriptor.Side,
        events: UInt32 = 0
    ) -> Errno? {
        let state = unsafe known.pointee.state
        let waitsForRoom =
            side == .writers && !state.contains(.writable) || events & Self.writing != 0
        // What is writable as far as is known is tried first.
        if side == .writers, !waitsForRoom { return nil }
        guard !state.contains(.watched) || waitsForRoom && !state.contains(.watchedForWriting)
        else { return nil }
        return unsafe widen(descriptor, known, forWriting: waitsForRoom)
    }

    private func widen(
        _ descriptor: Descriptor,
        _ known: UnsafeMutablePointer<WatchedDescriptor>,
        forWriting: Bool
    ) -> Errno? {
        let isWatched = unsafe known.pointee.state.contains(.watched)
        let generation = unsafe known.pointee.generation
        let word = UInt64(generation) << 32 | UInt64(UInt32(bitPattern: descriptor.rawValue))
        let events = Self.reading | (forWriting ? Self.writing : 0)
        let failure =
            isWatched
            ? set.change(descriptor, for: events, word: word)
            : set.add(descriptor, for: events, word: word)
        switch failure {
        case nil:
            unsafe known.pointee.state.formUnion(
                forWriting ? [.watched, .watchedForWriting] : .watched
            )
            return nil
        case .some(.notPermitted):
            // A file: epoll_ctl(2) watches none, and none is ever waited for.
            unsafe known.pointee.state.formUnion([.readable, .writable])
            return nil
        case .some(let errno): return errno
        }
    }

    // MARK: Polls

    /// Reports readiness, as the set reports it; what is ready already, at once.
    package func poll(
        _ token: OperationToken,
        on descriptor: Descriptor,
        events: PollEvents,
        isMultishot: Bool
    ) {
        guard let known = unsafe known(descriptor) else {
            return complete(token, -Errno.badDescriptor.rawValue)
        }
        let before = unsafe known.pointee.state
        let wanted = events.rawValue
        if let failure = unsafe watch(descriptor, known, for: .polls, events: wanted) {
            counters.submissions &+= 1
            return complete(token, -failure.rawValue)
        }
        let operation = unsafe WaitingOperation(
            token: token,
            events: wanted,
            isMultishot: isMultishot
        )
        wait(for: descriptor, operation)
        // A watch that has just begun, or was widened, reports by itself.
        let watches: WatchedDescriptor.State = [.watched, .watchedForWriting]
        let after = unsafe known.pointee.state
        guard after.intersection(watches) == before.intersection(watches) else { return }
        let result = cu_poll_now(descriptor.rawValue, wanted)
        if result < 0 { return end(token, result) }
        if result > 0 { report(UInt32(bitPattern: result), to: token.slot) }
    }

    /// Tells each poll of a descriptor what it is ready for.
    func report(
        _ events: UInt32,
        toPollsOf known: UnsafeMutablePointer<WatchedDescriptor>
    ) {
        var slot = unsafe known.pointee.polls
        while slot != .none {
            let next = unsafe operations.address(of: slot).pointee.next
            report(events, to: slot)
            slot = next
        }
    }

    private func report(_ events: UInt32, to slot: SlotIndex) {
        let operation = unsafe operations.address(of: slot)
        let result = unsafe events & (operation.pointee.events | Self.always)
        guard result != 0 else { return }
        let token = unsafe operation.pointee.token
        if unsafe operation.pointee.isMultishot {
            complete(token, Int32(bitPattern: result), isTerminal: false)
        } else {
            end(token, Int32(bitPattern: result))
        }
    }

    // MARK: Events

    /// Takes in what a wait brought: notes it, and puts whoever waited for it into the list.
    func takeEvents(_ count: Int) {
        for index in 0..<count {
            let word = set.word(at: index)
            guard word != Self.wakerWord else {
                // The eventfd is not read: each write reports anew.
                counters.wakes &+= 1
                continue
            }
            let slot = SlotIndex(rawValue: UInt32(truncatingIfNeeded: word))
            let known = unsafe descriptors.address(of: slot)
            // A descriptor that was closed here and lives on elsewhere, in a forked child.
            guard unsafe known.pointee.generation == UInt32(truncatingIfNeeded: word >> 32) else {
                continue
            }
            unsafe take(set.flags(at: index), slot, known)
        }
    }

    @inline(__always)
    private func take(
        _ events: UInt32,
        _ slot: SlotIndex,
        _ known: UnsafeMutablePointer<WatchedDescriptor>
    ) {
        var state = unsafe known.pointee.state
        if events == UInt32(CU_EVENT_READ) {
            state.insert(.readable)
        } else {
            if events & (Self.reading | Self.always) != 0 { state.insert(.readable) }
            if events & Self.endings != 0 { state.insert(.ended) }
            if events & (Self.writing | Self.always) != 0 { state.insert(.writable) }
        }
        unsafe known.pointee.state = state
        if unsafe known.pointee.polls != .none { unsafe report(events, toPollsOf: known) }
        if unsafe known.pointee.hasSomethingToDo { ready.append(slot, in: descriptors) }
    }
}
