internal import CUring
internal import Glibc

/// What waits for room: a poll, or a timer where readiness says nothing, tells when to try again, and then
/// it is sent directly.
///
/// Never by an operation of the ring: when the kernel tries a datagram again that had no room, it sends
/// what is left of the message it has read already, which is nothing (docs/decisions/0012).
extension DatagramTransport {
    static var sendPauseMinNanoseconds: UInt64 { 1_000_000 }
    private static let sendPauseMaxNanoseconds: UInt64 = 64_000_000
    static var unixFamily: Int32 { AF_UNIX }

    /// An error that may be about an earlier datagram.
    static func isPending(_ errno: Errno) -> Bool {
        switch errno.rawValue {
        case ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, EPROTO, ENOPROTOOPT: true
        default: false
        }
    }

    /// Waits for room for the first, unless that is under way.
    func awaitRoom() {
        guard !queue.isEmpty, pollToken == nil, slot != .none,
            condition.isDisjoint(with: [.ending, .lost, .sendPaused])
        else { return }
        // A socket without a peer counts as writable all the time, whoever's queue is full (unix(7)).
        if family == Self.unixFamily, peer == nil { return pauseSending() }
        let token = loop.begin(.poll, on: slot)
        pollToken = token
        loop.driver.base.poll(token, on: descriptor, events: .writable, isMultishot: false)
    }

    /// Takes in what the poll says.
    func polled(_ completion: Completion) {
        guard completion.isTerminal else { return }
        pollToken = nil
        switch completion.errno {
        case nil: sendWaiting()
        case .cancelled?: break
        // The kernel has no memory for it, or the like: asking again at once would spin.
        case .some: pauseSending()
        }
    }

    /// Tries what waits, directly: as far as there is room.
    private func sendWaiting() {
        var isFirst = true
        while !queue.isEmpty, condition.isDisjoint(with: [.ending, .lost, .sendPaused]) {
            let result = sendFirst()
            if result >= 0 {
                removeFirst()
            } else {
                sendFailed(Errno(result: result), isFirst: isFirst)
                if pollToken != nil { break }
            }
            isFirst = false
        }
        if phase == .flushing, queue.isEmpty { finishFlush() }
        checkLowWatermark()
    }

    private func removeFirst() {
        queue.removeFirst()
        sendPauseNanoseconds = Self.sendPauseMinNanoseconds
        isErrorTold = false
    }

    // Safety: bytes and address are used during the call.
    private func sendFirst() -> Int32 {
        queue.withFirst { first in
            var target: UnsafePointer<cu_address>?
            if let address = first.address {
                // An address that could not be stored was refused before it was queued.
                try? unsafe address.store(in: &room.target.pointee)
                unsafe target = UnsafePointer(room.target)
            }
            return first.bytes.withBytes { span in
                unsafe span.withUnsafeBytes { bytes in
                    loop.driver.trySend(
                        unsafe OutgoingDatagram(
                            bytes: bytes,
                            address: target,
                            segmentBytes: first.segmentBytes
                        ),
                        on: descriptor
                    )
                }
            }
        }
    }

    /// Decides what a failed send of the first means.
    ///
    /// `isFirst` means that nothing was sent since the kernel said that there is room.
    private func sendFailed(_ errno: Errno, isFirst: Bool) {
        switch errno {
        case .interrupted: break
        case .again:
            // Told of room and refused all the same: asking for room again would spin.
            if isFirst { pauseSending() } else { awaitRoom() }
        case .noBuffers, .noMemory: pauseSending()
        case let errno where Self.isPending(errno) && family != Self.unixFamily && !isErrorTold:
            // About an earlier one: this one was not sent, and is tried again.
            isErrorTold = true
            reportSoon(errno)
        case let errno
        where Self.isOfSegmentation(errno) && queue.withFirst { $0.segmentBytes > 0 }:
            queue.cutFirst()
        default:
            // Its sender is gone: the handler hears that this one was lost.
            let error = queue.withFirst { first in
                sendError(
                    errno,
                    byteCount: first.bytes.byteCount,
                    Target(address: first.address, segmentBytes: first.segmentBytes)
                )
            }
            removeFirst()
            loop.ready.append(.closure { [self] in report(error) })
        }
    }

    /// Tries the first again in a while.
    func pauseSending() {
        guard !condition.contains(.sendPaused), phase == .open || phase == .flushing else { return }
        condition.insert(.sendPaused)
        let job = Job.target(self, tag: DatagramJob.retrySend.rawValue)
        let instant = loop.driver.base.now() &+ sendPauseNanoseconds
        retryTimer = loop.addTimer(at: instant, job)
        sendPauseNanoseconds = min(2 &* sendPauseNanoseconds, Self.sendPauseMaxNanoseconds)
    }

    func retrySend() {
        retryTimer = nil
        condition.remove(.sendPaused)
        guard slot != .none, pollToken == nil else { return }
        sendWaiting()
    }
}
