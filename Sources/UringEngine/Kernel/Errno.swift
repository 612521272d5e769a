internal import CUring
internal import Glibc

/// An error number of the kernel, as errno(3) lists them.
///
/// Any value is accepted: a completion may carry numbers that no header names (512, ERESTARTSYS,
/// was seen after the thread of a ring had ended).
///
/// > Thread: Any thread.
public struct Errno: RawRepresentable, Hashable, Sendable {
    /// The positive error number.
    public let rawValue: Int32

    /// Wraps a positive error number.
    public init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    /// The number that a negative completion or shim result carries.
    package init(result: Int32) {
        self.rawValue = 0 &- result
    }

    /// The calling thread's `errno`, read directly after a failed libc call.
    package static var current: Errno { Errno(rawValue: errno) }
}

extension Errno {
    // The numbers that the engine expects; each has a case somewhere that says why.

    /// Permission denied.
    public static let accessDenied = Errno(rawValue: EACCES)
    /// Resource temporarily unavailable.
    public static let again = Errno(rawValue: EAGAIN)
    /// Address already in use.
    public static let addressInUse = Errno(rawValue: EADDRINUSE)
    /// File exists.
    public static let alreadyExists = Errno(rawValue: EEXIST)
    /// Operation already in progress.
    public static let already = Errno(rawValue: EALREADY)
    /// Bad file descriptor.
    public static let badDescriptor = Errno(rawValue: EBADF)
    /// Broken pipe.
    public static let brokenPipe = Errno(rawValue: EPIPE)
    /// Device or resource busy.
    public static let busy = Errno(rawValue: EBUSY)
    /// Operation cancelled.
    public static let cancelled = Errno(rawValue: ECANCELED)
    /// Connection aborted.
    public static let connectionAborted = Errno(rawValue: ECONNABORTED)
    /// Connection refused.
    public static let connectionRefused = Errno(rawValue: ECONNREFUSED)
    /// Connection reset by peer.
    public static let connectionReset = Errno(rawValue: ECONNRESET)
    /// Operation now in progress.
    public static let inProgress = Errno(rawValue: EINPROGRESS)
    /// Interrupted system call.
    public static let interrupted = Errno(rawValue: EINTR)
    /// Invalid argument.
    public static let invalid = Errno(rawValue: EINVAL)
    /// No buffer space available; for a receive: the provided buffers are used up.
    public static let noBuffers = Errno(rawValue: ENOBUFS)
    /// No such entry.
    public static let notFound = Errno(rawValue: ENOENT)
    /// Not enough memory.
    public static let noMemory = Errno(rawValue: ENOMEM)
    /// Function not implemented.
    public static let notImplemented = Errno(rawValue: ENOSYS)
    /// Socket is not connected.
    public static let notConnected = Errno(rawValue: ENOTCONN)
    /// Permission denied.
    public static let permissionDenied = Errno(rawValue: EACCES)
    /// Protocol not available: there is no such option.
    public static let noSuchOption = Errno(rawValue: ENOPROTOOPT)
    /// Protocol wrong type for socket.
    public static let wrongProtocolType = Errno(rawValue: EPROTOTYPE)
    /// Operation not permitted.
    public static let notPermitted = Errno(rawValue: EPERM)
    /// Operation not supported.
    public static let notSupported = Errno(rawValue: EOPNOTSUPP)
    /// Connection timed out.
    public static let timedOut = Errno(rawValue: ETIMEDOUT)
    /// The timer of a wait expired.
    public static let timerExpired = Errno(rawValue: ETIME)
    /// Too many open files in the system.
    public static let tooManyFilesInSystem = Errno(rawValue: ENFILE)
    /// Too many open files in the process.
    public static let tooManyFiles = Errno(rawValue: EMFILE)
}

extension Errno {
    // What files add.

    /// Disk quota exceeded.
    public static let quotaExceeded = Errno(rawValue: EDQUOT)
    /// File too large.
    public static let fileTooLarge = Errno(rawValue: EFBIG)
    /// Input/output error.
    public static let inputOutput = Errno(rawValue: EIO)
    /// Is a directory.
    public static let isDirectory = Errno(rawValue: EISDIR)
    /// File name too long.
    public static let nameTooLong = Errno(rawValue: ENAMETOOLONG)
    /// No space left on device.
    public static let noSpace = Errno(rawValue: ENOSPC)
    /// Not a directory.
    public static let notDirectory = Errno(rawValue: ENOTDIR)
    /// Directory not empty.
    public static let notEmpty = Errno(rawValue: ENOTEMPTY)
}

extension Errno: CustomStringConvertible {
    /// The symbolic name and the number: `ECONNRESET (104)`.
    public var description: String {
        // Safety: the shim returns NULL or a string constant of libc.
        guard let name = unsafe cu_errno_name(rawValue) else { return "errno \(rawValue)" }
        return unsafe "\(String(cString: name)) (\(rawValue))"
    }
}
