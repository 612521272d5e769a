internal import CUring
internal import Glibc

extension EventLoop {
    /// Starts a process.
    ///
    /// The call returns when the program has begun, or has been refused: the loop's thread waits for
    /// that, about as long as a child needs for execve(2) (docs/decisions/0018).
    ///
    /// > Thread: On-loop only; so are the calls of `whenEnded` and of the handlers. As with
    /// > `adoptStream`, the thread has SIGPIPE blocked once it writes to a child; the child has not.
    ///
    /// - Parameters:
    ///   - command: what to run.
    ///   - handlers: told of the streams that are pipes.
    ///   - whenEnded: called once, with how the process ended; output may still come after it.
    /// - Returns: the process.
    /// - Throws: an error of `.spawn` that names the program: ENOENT, EACCES, ENOEXEC and others of
    ///   execve(2), EAGAIN beyond the limit of processes; `.invalidArgument` for what no child can be made
    ///   of; EMFILE; EBADF for a descriptor that is not open; `.closed` after the shutdown.
    @discardableResult
    public func spawn(
        _ command: ProcessCommand,
        handlers: ProcessHandlers = ProcessHandlers(),
        whenEnded: @escaping (ProcessStatus) -> Void = { _ in }
    ) throws(IOError) -> SpawnedProcess {
        try checkAdopting(.spawn)
        try command.check()
        var spawn = ProcessSpawn(command)
        // Also what the child alone was to have: it has it by now.
        defer { spawn.closeAll() }
        try spawn.prepare()
        let processID = try spawn.start()
        let descriptor = try open(processID, of: command)
        let child = SpawnedProcess(
            loop: self,
            processID: processID,
            descriptor: descriptor ?? Descriptor(rawValue: -1),
            hasOwnGroup: command.grouping != .parents,
            whenEnded: whenEnded
        )
        if let descriptor {
            _ = descriptors.adopt(descriptor, owner: child)
            child.watch()
        } else {
            child.endUnseen()
        }
        attach(&spawn, to: child, handlers)
        return child
    }

    /// A descriptor of a child that was started just now; without one it must not live.
    ///
    /// - Returns: nil for one that has ended already while SIGCHLD is ignored: nothing is left of it.
    private func open(
        _ processID: Int32,
        of command: ProcessCommand
    ) throws(IOError) -> Descriptor? {
        let result = cu_open_process(processID)
        if result >= 0 { return Descriptor(rawValue: result) }
        if result == -ESRCH { return nil }
        // Nobody has waited for it, so the number is its own.
        kill(processID, SIGKILL)
        while waitpid(processID, nil, 0) < 0, errno == EINTR {}
        throw IOError(.spawn, errno: Errno(result: result), detail: command.name)
    }

    private func attach(
        _ spawn: inout ProcessSpawn,
        to child: SpawnedProcess,
        _ handlers: ProcessHandlers
    ) {
        child.standardInput = stream(spawn.takeEnd(of: 0), handlers.input, handlers.options)
        child.standardOutput = stream(spawn.takeEnd(of: 1), handlers.output, handlers.options)
        child.standardError = stream(spawn.takeEnd(of: 2), handlers.error, handlers.options)
    }

    private func stream(
        _ descriptor: Descriptor?,
        _ handler: (any StreamHandler)?,
        _ options: StreamOptions
    ) -> StreamTransport? {
        guard let descriptor else { return nil }
        let isReader = cu_status_flags(descriptor.rawValue) & O_ACCMODE == O_RDONLY
        _ = cu_set_nonblocking(descriptor.rawValue, true)
        let end = StreamEnd(descriptor, isReadable: isReader, isWritable: !isReader)
        return adopt(end, options: options, handler: handler ?? DroppingHandler())
    }
}

/// Drops what comes.
private final class DroppingHandler: StreamHandler {
    func dataReceived(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) {
        _ = consume bytes
    }
}
