/// Reading and writing, for the callback face; the checked calls that both faces begin.
extension OpenFile {
    /// The most that one read or write takes, in bytes.
    public static let transferBytesMax = 1 << 30

    /// Reads once: as many bytes as are there, up to `byteCount`.
    ///
    /// > Thread: On-loop only.
    /// > Ownership: The operation owns the memory; the completion gets it with the bytes.
    ///
    /// - Parameters:
    ///   - offset: where, in bytes; a pipe or a terminal has no offsets and gives what comes next.
    ///   - byteCount: 1 to `transferBytesMax`.
    ///   - completion: gets the bytes, nil at the end of the file, or EIO, EISDIR, EBADF for a file that
    ///     was opened otherwise, and others of read(2).
    /// - Returns: the call, which can be cancelled.
    /// - Throws: `.invalidArgument` that says what is accepted, `.closed`.
    @discardableResult
    public func read(
        at offset: UInt64,
        byteCount: Int,
        completion: @escaping (consuming Result<ReceivedBytes?, IOError>) -> Void
    ) throws(IOError) -> FileCall {
        let call = try readCall(at: offset, byteCount: byteCount, fillsAll: false)
        call.onEnd = { [unowned call] in
            if let failure = call.failure {
                call.dropMemory()
                completion(.failure(failure))
            } else {
                let bytes = call.takeBytes()
                call.dropMemory()
                completion(.success(bytes))
            }
        }
        return begin(call)
    }

    /// Writes all the bytes.
    ///
    /// > Thread: On-loop only.
    /// > Ownership: The bytes move in, and are kept until the kernel has taken them.
    ///
    /// - Parameters:
    ///   - bytes: what to write.
    ///   - offset: where, in bytes.
    ///   - completion: gets ENOSPC, EFBIG, EDQUOT, EIO, EBADF and others of write(2), and how many bytes
    ///     were written before.
    /// - Returns: the call, which can be cancelled.
    /// - Throws: `.invalidArgument` that says what is accepted, `.closed`.
    @discardableResult
    public func write(
        _ bytes: consuming ReceivedBytes,
        at offset: UInt64,
        completion: @escaping (Result<Void, IOError>) -> Void
    ) throws(IOError) -> FileCall {
        begin(try writeCall(bytes, at: offset), completion)
    }

    /// Writes the program's own bytes; otherwise as of received ones.
    @discardableResult
    public func write(
        _ bytes: consuming OwnedBytes,
        at offset: UInt64,
        completion: @escaping (Result<Void, IOError>) -> Void
    ) throws(IOError) -> FileCall {
        try write(bytes.takeContents(), at: offset, completion: completion)
    }

    /// Writes all the bytes at the end of a file that was opened for appending.
    ///
    /// - Parameters:
    ///   - bytes: what to write.
    ///   - completion: as of `write`.
    /// - Returns: the call, which can be cancelled.
    /// - Throws: as of `write`.
    @discardableResult
    public func append(
        _ bytes: consuming OwnedBytes,
        completion: @escaping (Result<Void, IOError>) -> Void
    ) throws(IOError) -> FileCall {
        begin(try writeCall(bytes.takeContents(), at: nil), completion)
    }

    /// Brings what was written to the device (fsync(2)).
    ///
    /// - Parameters:
    ///   - isDataOnly: without what is not needed to read it again, such as times (fdatasync(2)).
    ///   - completion: gets EIO, ENOSPC, EDQUOT of writes that were only cached; told once.
    /// - Returns: the call, which can be cancelled.
    @discardableResult
    public func sync(
        isDataOnly: Bool = false,
        completion: @escaping (Result<Void, IOError>) -> Void
    ) -> FileCall {
        begin(syncCall(isDataOnly: isDataOnly), completion)
    }

    /// Asks what the file system says of it.
    @discardableResult
    public func attributes(
        completion: @escaping (Result<FileAttributes, IOError>) -> Void
    ) -> FileCall {
        let call = attributesCall()
        call.onEnd = { [unowned call] in completion(call.outcome.map { call.attributes }) }
        return begin(call)
    }

    /// Takes room on the device (fallocate(2)).
    ///
    /// - Parameters:
    ///   - range: where, in bytes.
    ///   - keepsSize: the file does not become longer.
    ///   - completion: gets ENOSPC, EFBIG, and EOPNOTSUPP of file systems that cannot.
    /// - Returns: the call, which can be cancelled.
    /// - Throws: `.invalidArgument` for an empty range or one beyond `Int64.max`.
    @discardableResult
    public func allocate(
        _ range: Range<UInt64>,
        keepsSize: Bool = false,
        completion: @escaping (Result<Void, IOError>) -> Void
    ) throws(IOError) -> FileCall {
        begin(try allocateCall(range, keepsSize: keepsSize), completion)
    }

    /// Cuts the file, or makes it longer with zeros (ftruncate(2)).
    ///
    /// - Parameters:
    ///   - byteCount: how long it is to be.
    ///   - completion: gets EFBIG, EINVAL for a file that is not open for writing, and others.
    /// - Returns: the call, which can be cancelled.
    /// - Throws: `.invalidArgument` beyond `Int64.max`.
    @discardableResult
    public func truncate(
        to byteCount: UInt64,
        completion: @escaping (Result<Void, IOError>) -> Void
    ) throws(IOError) -> FileCall {
        begin(try truncateCall(byteCount), completion)
    }

    /// Begins a call, and gives it back.
    func begin<Call: FileCall>(_ call: Call) -> Call {
        let plain: FileCall = call
        begin(plain)
        return call
    }

    private func begin(
        _ call: FileCall,
        _ completion: @escaping (Result<Void, IOError>) -> Void
    ) -> FileCall {
        call.onEnd = { [unowned call] in completion(call.outcome) }
        begin(call)
        return call
    }
}
