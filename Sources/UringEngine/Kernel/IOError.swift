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
        case adoptDescriptor = "adopt descriptor"
        case allocate
        case bind
        case close
        case closeFile = "close file"
        case connect
        case inspectFile = "inspect file"
        case listDirectory = "list directory"
        case listen
        case lock
        case makeDirectory = "make directory"
        case makeLoop = "make loop"
        case mapMemory = "map memory"
        case openFile = "open file"
        case openPipe = "open pipe"
        case openSocket = "open socket"
        case parseAddress = "parse address"
        case poll
        case post
        case readAddress = "read address"
        case readOption = "read option"
        case readFile = "read file"
        case receive
        case registerBuffers = "register buffers"
        case removeFile = "remove file"
        case renameFile = "rename file"
        case resolve = "resolve name"
        case runInExecutor = "run in executor"
        case send
        case sendFile = "send file"
        case setOption = "set option"
        case setPermissions = "set permissions"
        case setUpDriver = "set up driver"
        case setUpRing = "set up ring"
        case sleep
        case startThread = "start thread"
        case submit
        case shutdown
        case syncFile = "sync file"
        case truncateFile = "truncate file"
        case signalProcess = "signal process"
        case spawn
        case wait
        case waitForProcess = "wait for process"
        case watchSignal = "watch signal"
        case write
        case writeFile = "write file"
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
        /// A file ends before what was asked for.
        case truncated
        /// Used from elsewhere than the shard it lives on.
        case wrongShard
        /// What came is longer than is accepted; `detail` says how long it may be.
        case tooLong
        /// A name leads to no address.
        case nameNotResolved(NameFailure)
        /// The descriptor is of a kind that this does not work with; `detail` says what does.
        case wrongKind
        /// A stream that goes the other way only.
        case wrongDirection
        /// More came than the program set as the most.
        case limitExceeded
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
        case .truncated: "the file ends early"
        case .wrongShard: "used outside its shard"
        case .tooLong: "too long"
        case .nameNotResolved(let failure): failure.description
        case .wrongKind: "wrong kind of descriptor"
        case .wrongDirection: "wrong direction"
        case .limitExceeded: "limit exceeded"
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
