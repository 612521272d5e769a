/// What went wrong with one operation: which operation, on which descriptor, and why.
///
/// It reads as one line: `receive on fd 7 failed: ECONNRESET (104)`.
///
/// > Thread: Any thread.
public struct IOError: Error, Hashable, Sendable {
    /// The operation that failed.
    public let operation: Operation
    /// The descriptor it was on, where there was one.
    public let descriptor: Descriptor?
    /// Why it failed.
    public let reason: Reason
    /// What a person needs beside the reason, such as an address or a limit.
    public let detail: String?

    /// Builds an error; `detail` is appended to the line a person reads.
    public init(
        _ operation: Operation,
        descriptor: Descriptor? = nil,
        reason: Reason,
        detail: String? = nil
    ) {
        self.operation = operation
        self.descriptor = descriptor
        self.reason = reason
        self.detail = detail
    }

    /// Builds an error from an error number.
    package init(
        _ operation: Operation,
        descriptor: Descriptor? = nil,
        errno: Errno,
        detail: String? = nil
    ) {
        self.init(operation, descriptor: descriptor, reason: .errno(errno), detail: detail)
    }

    /// The error number, where the kernel gave one.
    public var errno: Errno? {
        guard case .errno(let errno) = reason else { return nil }
        return errno
    }
}

extension IOError {
    /// The verbs that can fail.
    public enum Operation: String, Hashable, Sendable {
        case accept
        case bind
        case close
        case connect
        case inspectFile = "inspect file"
        case listen
        case lock
        case makeLoop = "make loop"
        case mapMemory = "map memory"
        case openSocket = "open socket"
        case parseAddress = "parse address"
        case poll
        case post
        case readAddress = "read address"
        case receive
        case registerBuffers = "register buffers"
        case removeFile = "remove file"
        case send
        case setOption = "set option"
        case setPermissions = "set permissions"
        case setUpDriver = "set up driver"
        case setUpRing = "set up ring"
        case sleep
        case startThread = "start thread"
        case submit
        case shutdown
        case wait
        case watchSignal = "watch signal"
        case write
    }

    /// Why an operation failed.
    public enum Reason: Hashable, Sendable {
        /// The kernel said so.
        case errno(Errno)
        /// The operation was cancelled by its owner.
        case cancelled
        /// The operation's own deadline passed.
        case deadlineExceeded
        /// The transport, listener or loop was already closed.
        case closed
        /// The peer ended its side while bytes were still to come or to go.
        case peerGone
        /// An argument is not acceptable; `detail` says what is.
        case invalidArgument
        /// Another task waits for the same already.
        case busy
        /// Used from elsewhere than the shard it lives on.
        case wrongShard
    }
}

extension IOError.Reason: CustomStringConvertible {
    /// The reason in words.
    public var description: String {
        switch self {
        case .errno(let errno): errno.description
        case .cancelled: "cancelled"
        case .deadlineExceeded: "deadline exceeded"
        case .closed: "already closed"
        case .peerGone: "the peer is gone"
        case .invalidArgument: "invalid argument"
        case .busy: "busy"
        case .wrongShard: "used outside its shard"
        }
    }
}

extension IOError: CustomStringConvertible {
    /// One line: operation, descriptor, reason, detail.
    public var description: String {
        let place = descriptor.map { " on fd \($0.rawValue)" } ?? ""
        let tail = detail.map { ": \($0)" } ?? ""
        return "\(operation.rawValue)\(place) failed: \(reason)\(tail)"
    }
}
