/// Pipes, terminals and descriptors of others, in async code.
extension Shard {
    /// Takes a pipe's end, a FIFO, a terminal or another character device in, as a connection.
    ///
    /// One direction alone works on a pipe's end: the other throws `.wrongDirection`. `finish()` on a
    /// writing end closes it, since nothing less can tell the reader. A drain does not end it; the
    /// shard's end does.
    ///
    /// > Ownership: Of the descriptor, as `ownership` says; when it throws, that is as it was. Whoever gets
    ///   the connection closes or aborts it; what is left is closed when the shard ends.
    ///
    /// - Parameters:
    ///   - descriptor: an open descriptor of the process; see `EventLoop.adoptStream` for what happens
    ///     to one that blocks.
    ///   - ownership: whether it is the connection's from here on.
    ///   - options: how the stream behaves.
    /// - Returns: the connection.
    /// - Throws: EBADF; `.wrongKind` for a file, a directory or a socket; `.busy`, `.closed`, `.wrongShard`.
    public func adoptStream(
        _ descriptor: Descriptor,
        _ ownership: DescriptorOwnership,
        options: StreamOptions = StreamOptions()
    ) throws(IOError) -> Connection {
        try check(.adoptDescriptor)
        let core = ConnectionCore(shard: self)
        try loop.adoptStream(descriptor, ownership, options: options, handler: core)
        return Connection(core: core)
    }

    /// Makes a pipe: what is written to one connection is read from the other.
    ///
    /// > Ownership: Whoever gets them closes or aborts both.
    ///
    /// - Throws: EMFILE, `.closed`, `.wrongShard`.
    public func openPipe(
        options: StreamOptions = StreamOptions()
    ) throws(IOError) -> (reader: Connection, writer: Connection) {
        try check(.openPipe)
        let (reader, writer) = (ConnectionCore(shard: self), ConnectionCore(shard: self))
        _ = try loop.openPipe(options: options, reader: reader, writer: writer)
        return (Connection(core: reader), Connection(core: writer))
    }

    /// What the process reads from: descriptor 0 stays open, and as it is.
    ///
    /// - Throws: as `adoptStream`; `.wrongKind` where it comes from a file.
    public func standardInput(
        options: StreamOptions = StreamOptions()
    ) throws(IOError) -> Connection {
        try adoptStream(.standardInput, .shared, options: options)
    }

    /// What the process writes to: descriptor 1 stays open, and as it is.
    ///
    /// - Throws: as `adoptStream`; `.wrongKind` where it goes to a file.
    public func standardOutput(
        options: StreamOptions = StreamOptions()
    ) throws(IOError) -> Connection {
        try adoptStream(.standardOutput, .shared, options: options)
    }

    /// Where the process writes what went wrong: descriptor 2 stays open, and as it is.
    ///
    /// - Throws: as `adoptStream`; `.wrongKind` where it goes to a file.
    public func standardError(
        options: StreamOptions = StreamOptions()
    ) throws(IOError) -> Connection {
        try adoptStream(.standardError, .shared, options: options)
    }
}
