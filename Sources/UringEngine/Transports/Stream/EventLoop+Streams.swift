extension Descriptor {
    /// Where the process reads from when nobody says otherwise.
    public static let standardInput = Descriptor(rawValue: 0)
    /// Where it writes to.
    public static let standardOutput = Descriptor(rawValue: 1)
    /// Where it writes what went wrong.
    public static let standardError = Descriptor(rawValue: 2)
}

/// Streams on pipes, terminals and descriptors of others.
extension EventLoop {
    /// Runs a stream on a pipe's end, a FIFO, a terminal or another character device.
    ///
    /// A descriptor that blocks is not made non-blocking: that flag belongs to the open file
    /// description, which others may share, as a terminal's or that of a pipe from the shell. The
    /// stream opens a description of its own by the name in /proc. Only where that is forbidden (a
    /// terminal of another user, no /proc) is the flag set, and taken back when the stream has ended;
    /// one line of the log says so, since a process that is killed before leaves it set.
    ///
    /// > Thread: On-loop only. From the first stream that writes until the loop's shutdown the thread
    /// > has SIGPIPE blocked: a pipe without a reader is EPIPE, for `connectionLost`.
    /// > Ownership: As `ownership` says. When it throws, the descriptor is as it was.
    ///
    /// - Parameters:
    ///   - descriptor: an open descriptor of the process.
    ///   - ownership: whether it is the stream's from here on.
    ///   - options: how the stream behaves.
    ///   - handler: told what happens; one direction alone works on a pipe's end.
    /// - Returns: the stream, reading from now on, unless it can only be written.
    /// - Throws: EBADF for a number that is not open; `.wrongKind` for a file, a directory or a socket;
    ///   `.busy` when this loop uses the descriptor already; `.closed` after the shutdown; EMFILE.
    @discardableResult
    public func adoptStream(
        _ descriptor: Descriptor,
        _ ownership: DescriptorOwnership,
        options: StreamOptions = StreamOptions(),
        handler: any StreamHandler
    ) throws(IOError) -> StreamTransport {
        try checkAdopting(.adoptDescriptor)
        if ownership == .taken, descriptors.holds(descriptor) {
            throw IOError(
                .adoptDescriptor,
                descriptor: descriptor,
                reason: .busy,
                detail: "this loop uses it already"
            )
        }
        let end = try driver.base.takeEnd(of: descriptor, ownership)
        if end.borrowed != nil {
            let number = descriptor.rawValue
            self.options.log(
                "fd \(number) is non-blocking for all who share it, while a stream lasts"
            )
        }
        return adopt(end, options: options, handler: handler)
    }

    /// Makes a pipe, and runs a stream on each of its ends.
    ///
    /// > Thread: On-loop only; as `adoptStream`.
    ///
    /// - Parameters:
    ///   - options: how both streams behave.
    ///   - reader: gets the bytes.
    ///   - writer: told when it may write.
    /// - Returns: both streams.
    /// - Throws: EMFILE and ENFILE; `.closed` after the shutdown.
    public func openPipe(
        options: StreamOptions = StreamOptions(),
        reader: any StreamHandler,
        writer: any StreamHandler
    ) throws(IOError) -> (reader: StreamTransport, writer: StreamTransport) {
        try checkAdopting(.openPipe)
        let ends = try driver.base.openPipe()
        return (
            adopt(ends.reader, options: options, handler: reader),
            adopt(ends.writer, options: options, handler: writer)
        )
    }

    /// Runs a stream on an end that is ready for it.
    ///
    /// > Thread: On-loop only.
    /// > Ownership: The end is the stream's from here on.
    package func adopt(
        _ end: StreamEnd,
        options: StreamOptions,
        handler: any StreamHandler
    ) -> StreamTransport {
        if end.isWritable { guardAgainstBrokenPipes() }
        let transport = StreamTransport(
            loop: self,
            descriptor: end.descriptor,
            kind: .pipe,
            options: options,
            handler: handler
        )
        transport.run(on: end)
        _ = descriptors.adopt(end.descriptor, owner: transport)
        transport.start()
        return transport
    }

    /// Throws for a loop that takes in nothing any more.
    func checkAdopting(_ operation: IOError.Operation) throws(IOError) {
        checkOnLoop()
        guard state != .shutDown else { throw IOError(operation, reason: .closed) }
    }
}
