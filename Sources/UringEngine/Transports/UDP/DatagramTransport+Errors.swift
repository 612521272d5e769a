internal import Glibc

/// What errors of the kernel mean for an endpoint.
extension DatagramTransport {
    private static let memoryPauseNanoseconds: UInt64 = 10_000_000

    /// The network answered an earlier datagram with it (udp(7), icmp(7)): the socket is fine, and says so
    /// once, to whoever asks first.
    static func isOfNetwork(_ errno: Errno) -> Bool {
        switch errno.rawValue {
        case ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENETDOWN: true
        // A protocol or an option that the other side does not know; filtered by a firewall; too long for
        // the path.
        case EPROTO, ENOPROTOOPT, EACCES, EPERM, EMSGSIZE, EOPNOTSUPP: true
        // A Unix peer that was closed with datagrams unread; a lost path.
        case ECONNRESET, ETIMEDOUT: true
        default: false
        }
    }

    /// The kernel cannot cut bytes into segments of this size on this path, but a datagram of that size may
    /// go by itself: no checksums by hardware (EIO), or longer than the path takes in one piece.
    static func isOfSegmentation(_ errno: Errno) -> Bool {
        switch errno.rawValue {
        case EIO, EINVAL, EMSGSIZE, EOPNOTSUPP, ENOPROTOOPT: true
        default: false
        }
    }

    // MARK: Receives that failed

    @inline(never)
    func receiveEnded(_ completion: Completion) {
        if completion.hasBuffer { loop.pool.drop(loop.pool.lease(completion.bufferNumber)) }
        guard let errno = completion.errno else { return }
        switch errno {
        case .noBuffers:
            // The pool is empty: wait for returns, first in first out.
            if wantsInput { loop.markStarved(self) }
        case .cancelled, .again, .interrupted:
            // A pause or a close asked for it, or the kernel wants to be asked again; `received` arms as
            // needed.
            break
        case .noMemory:
            // Asking again at once would spin.
            pauseReceive()
        case let errno where Self.isOfNetwork(errno):
            report(IOError(.receive, descriptor: descriptor, errno: errno))
        default:
            // EBADF, ENOTSOCK, EFAULT, …: it would come back at once, for ever.
            end(IOError(.receive, descriptor: descriptor, errno: errno))
        }
    }

    private func pauseReceive() {
        guard phase == .open, receiveTimer == nil else { return }
        condition.insert(.receivePaused)
        let job = Job.target(self, tag: DatagramJob.retryReceive.rawValue)
        let instant = loop.driver.base.now() &+ Self.memoryPauseNanoseconds
        receiveTimer = loop.addTimer(at: instant, job)
    }

    func retryReceive() {
        receiveTimer = nil
        condition.remove(.receivePaused)
        armReceive(waitForReadiness: true)
    }

    /// Tells the handler of what became of an earlier datagram.
    func report(_ error: IOError) {
        guard phase == .open else { return }
        callHandler { try $0.errorReceived(error, on: self) }
    }
}
