/// What is to become of a descriptor that a stream takes in.
///
/// > Thread: Any thread.
public enum DescriptorOwnership: Hashable, Sendable {
    /// The stream owns it from here on, and closes it in the end.
    case taken
    /// Its owner keeps it, open, and with the flags that it has; the stream works on one of its own.
    case shared
}

/// One end of a pipe, a terminal or the like, as a stream takes it in.
///
/// > Thread: Any thread.
/// > Ownership: A plain value: a stream closes `descriptor` and ends `borrowed`.
package struct StreamEnd: Hashable, Sendable {
    /// Non-blocking, close-on-exec, and nobody else's.
    package let descriptor: Descriptor
    /// It can be read.
    package var isReadable = true
    /// It can be written.
    package var isWritable = true
    /// It is a pipe or a FIFO: reads of it may be multishot.
    package var isPipe = true
    /// The open file description is shared with others, who had it blocking: it is made blocking again
    /// through this duplicate, which closes then.
    package var borrowed: Descriptor?

    /// Describes an end.
    package init(
        _ descriptor: Descriptor,
        isReadable: Bool = true,
        isWritable: Bool = true,
        isPipe: Bool = true,
        borrowed: Descriptor? = nil
    ) {
        self.descriptor = descriptor
        self.isReadable = isReadable
        self.isWritable = isWritable
        self.isPipe = isPipe
        self.borrowed = borrowed
    }
}

/// The verbs on pipes and on descriptors of others that answer at once.
///
/// > Thread: As `SocketControl`.
package protocol StreamControl {
    /// Makes a pipe, both ends close-on-exec and non-blocking.
    ///
    /// - Throws: EMFILE and ENFILE as errors of `.openPipe`.
    func openPipe() throws(IOError) -> (reader: StreamEnd, writer: StreamEnd)
    /// Makes an end for a stream out of a descriptor that the program has.
    ///
    /// When it throws, the descriptor is as it was, and the program's still.
    ///
    /// - Throws: an error of `.adoptDescriptor`: EBADF for a number that is not open, `.wrongKind` for a
    ///   file, a directory or a socket, EMFILE and others.
    func takeEnd(
        of descriptor: Descriptor,
        _ ownership: DescriptorOwnership
    ) throws(IOError) -> StreamEnd
    /// Ends what was borrowed: its open file description blocks again.
    func giveBack(_ borrowed: Descriptor)
    /// Whether the readiness of a descriptor can be waited for.
    ///
    /// - Throws: an error of `.poll`: EBADF for a number that is not open, `.wrongKind` for what is
    ///   always ready.
    func checkPollable(_ descriptor: Descriptor) throws(IOError)
}
