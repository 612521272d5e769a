internal import CUring
internal import Glibc

/// Pipes, terminals and the descriptors of others, by system calls.
// Safety: every system call here uses the memory it is given during the call only.
extension SystemControl {
    /// Makes a pipe (pipe(2)).
    package func openPipe() throws(IOError) -> (reader: StreamEnd, writer: StreamEnd) {
        let (reader, writer) = try SystemPipe.open()
        for end in [reader, writer] { _ = cu_set_nonblocking(end.rawValue, true) }
        return (
            StreamEnd(reader, isWritable: false), StreamEnd(writer, isReadable: false)
        )
    }

    /// Takes a descriptor in, without a change to an open file description that others may have.
    ///
    /// One that blocks is opened once more by its name in /proc, which gives a pipe or a terminal a
    /// description of its own (proc(5)). Where that is not allowed, such as for a terminal of another
    /// user, its flag is set, and taken back when the stream ends.
    package func takeEnd(
        of descriptor: Descriptor,
        _ ownership: DescriptorOwnership
    ) throws(IOError) -> StreamEnd {
        let kind = try StreamForm(of: descriptor)
        let flags = cu_status_flags(descriptor.rawValue)
        if let failure = Self.failure(flags) { throw Self.refused(descriptor, failure) }
        var end = try own(descriptor, flags: flags, ownership)
        end.isReadable = flags & O_ACCMODE != O_WRONLY
        end.isWritable = flags & O_ACCMODE != O_RDONLY
        end.isPipe = kind == .pipe
        return end
    }

    private func own(
        _ descriptor: Descriptor,
        flags: Int32,
        _ ownership: DescriptorOwnership
    ) throws(IOError) -> StreamEnd {
        let isBlocking = flags & O_NONBLOCK == 0
        if !isBlocking, ownership == .taken { return StreamEnd(descriptor) }
        if isBlocking {
            let again = cu_reopen(descriptor.rawValue, flags & O_ACCMODE)
            if again >= 0 { return handedOver(descriptor, to: again, ownership) }
        }
        let copy = cu_duplicate(descriptor.rawValue, 0)
        if let failure = Self.failure(copy) { throw Self.refused(descriptor, failure) }
        var end = handedOver(descriptor, to: copy, ownership)
        guard isBlocking else { return end }
        let borrowed = cu_duplicate(copy, 0)
        if borrowed >= 0 { end.borrowed = Descriptor(rawValue: borrowed) }
        _ = cu_set_nonblocking(copy, true)
        return end
    }

    private func handedOver(
        _ descriptor: Descriptor,
        to own: Int32,
        _ ownership: DescriptorOwnership
    ) -> StreamEnd {
        if ownership == .taken { close(descriptor) }
        return StreamEnd(Descriptor(rawValue: own))
    }

    static func refused(_ descriptor: Descriptor, _ failure: Errno) -> IOError {
        IOError(.adoptDescriptor, descriptor: descriptor, errno: failure)
    }

    /// Makes an open file description block again.
    package func giveBack(_ borrowed: Descriptor) {
        _ = cu_set_nonblocking(borrowed.rawValue, false)
        _ = cu_close(borrowed.rawValue)
    }

    /// Asks epoll_ctl(2), which knows it of every kind of file.
    package func checkPollable(_ descriptor: Descriptor) throws(IOError) {
        switch Self.failure(cu_is_pollable(descriptor.rawValue)) {
        case nil: return
        case .some(.notPermitted):
            throw IOError(
                .poll,
                descriptor: descriptor,
                reason: .wrongKind,
                detail: "it is always ready, so there is nothing to wait for; accepted are sockets,"
                    + " pipes, terminals, eventfds and the like"
            )
        case .some(let failure): throw IOError(.poll, descriptor: descriptor, errno: failure)
        }
    }
}

/// A pipe whose ends still block, as a child process wants its own.
///
/// > Thread: Any thread.
package enum SystemPipe {
    /// Makes one, both ends close-on-exec.
    ///
    /// - Throws: EMFILE and ENFILE as errors of `.openPipe`.
    package static func open() throws(IOError) -> (reader: Descriptor, writer: Descriptor) {
        var (reader, writer): (Int32, Int32) = (-1, -1)
        // Safety: both numbers are written during the call.
        let result = unsafe cu_make_pipe(&reader, &writer)
        guard result == 0 else { throw IOError(.openPipe, errno: Errno(result: result)) }
        return (Descriptor(rawValue: reader), Descriptor(rawValue: writer))
    }
}

/// The kinds of files that a stream can run on.
enum StreamForm {
    /// A pipe, or a FIFO.
    case pipe
    /// A terminal, or another device that is read and written in order.
    case device

    /// Looks what a descriptor leads to (fstat(2)).
    ///
    /// - Throws: EBADF, and `.wrongKind` that says what it is and what is accepted.
    init(of descriptor: Descriptor) throws(IOError) {
        var form = stat()
        // Safety: the structure is written during the call.
        guard unsafe fstat(descriptor.rawValue, &form) == 0 else {
            throw IOError(.adoptDescriptor, descriptor: descriptor, errno: .current)
        }
        let name: String
        switch form.st_mode & S_IFMT {
        case S_IFIFO:
            self = .pipe
            return
        case S_IFCHR:
            self = .device
            return
        case S_IFSOCK: name = "a socket"
        case S_IFREG: name = "a file"
        case S_IFDIR: name = "a directory"
        case S_IFBLK: name = "a block device"
        default: name = "of another kind"
        }
        throw IOError(
            .adoptDescriptor,
            descriptor: descriptor,
            reason: .wrongKind,
            detail:
                "it is \(name); accepted are pipes, FIFOs, terminals and other character devices"
        )
    }
}
