/// Readers and writers: callbacks for descriptors that belong to somebody else.
extension EventLoop {
    /// Calls `callback` on the loop while a descriptor has something to read, its end or an error
    /// included: once a turn, for as long as that is so.
    ///
    /// A callback that reads only a part is called again. What it throws goes to `onCallbackError`,
    /// and it is called again all the same. A second call for the same descriptor takes the place of
    /// the first; one reader and one writer may watch the same. However many jobs are ready, each turn
    /// calls it.
    ///
    /// > Thread: On-loop only; so are the calls.
    /// > Ownership: The descriptor stays the program's, with its flags: where it blocks, the callback
    ///   reads what `readable` promises and no more. Remove the reader, then close: until then the
    ///   kernel holds the file, and a close(2) tells its other end nothing. When a descriptor is closed
    ///   all the same, calls end without a word, or with EBADF for `onCallbackError`; `addReader` with
    ///   its number, reused, watches the new one.
    ///
    /// - Throws: EBADF for a number that is not open; `.wrongKind` for what is always ready, such as a
    ///   file; `.busy` for the descriptor of a stream or a listener of this loop; `.closed` after the
    ///   shutdown.
    public func addReader(
        _ descriptor: Descriptor,
        _ callback: @escaping () throws -> Void
    ) throws(IOError) {
        try add(ReadinessInterest(ready: callback), for: .readable, of: descriptor)
    }

    /// Calls `callback` on the loop while a descriptor has room to write, or an error; otherwise as
    /// `addReader`.
    ///
    /// Most descriptors have room most of the time: remove the writer when there is nothing to write.
    ///
    /// > Thread: On-loop only; so are the calls.
    ///
    /// - Throws: as `addReader`.
    public func addWriter(
        _ descriptor: Descriptor,
        _ callback: @escaping () throws -> Void
    ) throws(IOError) {
        try add(ReadinessInterest(ready: callback), for: .writable, of: descriptor)
    }

    /// Ends the calls of `addReader`, from inside one too; none comes after it.
    ///
    /// > Thread: On-loop only.
    ///
    /// - Returns: whether there was a reader.
    @discardableResult
    public func removeReader(_ descriptor: Descriptor) -> Bool {
        remove(.readable, of: descriptor)
    }

    /// Ends the calls of `addWriter`, from inside one too; none comes after it.
    ///
    /// > Thread: On-loop only.
    ///
    /// - Returns: whether there was a writer.
    @discardableResult
    public func removeWriter(_ descriptor: Descriptor) -> Bool {
        remove(.writable, of: descriptor)
    }

    // MARK: For another face

    /// Ends every reader, writer and signal handler, and tells those who wait.
    ///
    /// > Thread: On-loop only.
    package func endWatches() {
        checkOnLoop()
        for key in readinessOwners.keys.sorted(by: { $0.rawValue < $1.rawValue }) {
            readinessOwners[key]?.endForShutdown()
        }
        for key in signalOwners.keys.sorted() { signalOwners[key]?.endForShutdown() }
    }

    /// Has somebody told while a descriptor is ready, in place of who was told before.
    ///
    /// > Thread: On-loop only.
    ///
    /// - Throws: as `addReader`.
    package func add(
        _ interest: ReadinessInterest,
        for readiness: Readiness,
        of descriptor: Descriptor
    ) throws(IOError) {
        try checkAdopting(.poll)
        if let watch = watch(of: descriptor) { return watch.set(interest, for: readiness) }
        try driver.base.checkPollable(descriptor)
        guard !descriptors.holds(descriptor) else {
            throw IOError(
                .poll,
                descriptor: descriptor,
                reason: .busy,
                detail: "a stream or a listener of this loop has it"
            )
        }
        let watch = ReadinessWatch(loop: self, descriptor: descriptor)
        readinessOwners[descriptor] = watch
        _ = descriptors.adopt(descriptor, owner: watch)
        watch.set(interest, for: readiness)
    }

    /// Who is told of a descriptor's readiness.
    ///
    /// > Thread: On-loop only.
    package func interest(
        in readiness: Readiness,
        of descriptor: Descriptor
    ) -> ReadinessInterest? {
        watch(of: descriptor)?.interest(in: readiness)
    }

    private func watch(of descriptor: Descriptor) -> ReadinessWatch? {
        readinessOwners[descriptor] as? ReadinessWatch
    }

    /// Ends the calls; what was ended already is left alone.
    ///
    /// > Thread: On-loop only.
    ///
    /// - Returns: whether somebody was told.
    @discardableResult
    package func remove(_ readiness: Readiness, of descriptor: Descriptor) -> Bool {
        checkOnLoop()
        guard let watch = watch(of: descriptor), watch.interest(in: readiness) != nil else {
            return false
        }
        watch.remove(readiness)
        return true
    }
}
