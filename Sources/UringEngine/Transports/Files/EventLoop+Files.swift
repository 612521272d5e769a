/// Files and paths, for the callback face.
///
/// Each verb checks its arguments at once and throws; what the kernel says comes later, by the
/// completion, in a later turn of the loop.
extension EventLoop {
    /// Opens a file.
    ///
    /// A FIFO's other end is not waited for: without one, reading opens at once, and writing is ENXIO.
    /// (On a ring, a creation other than `.never` waits for it, until it is cancelled.)
    ///
    /// > Thread: On-loop only.
    /// > Ownership: The loop keeps the file open until it is closed.
    ///
    /// - Parameters:
    ///   - path: relative ones begin at the process's working directory.
    ///   - options: see there.
    ///   - completion: gets the file, or ENOENT, EACCES, EISDIR, ENOTDIR, ELOOP, EEXIST, EMFILE and
    ///     others of open(2), naming the path.
    /// - Returns: the call, which can be cancelled.
    /// - Throws: `.invalidArgument` for a path or options that cannot be, ENAMETOOLONG, `.closed`.
    @discardableResult
    public func openFile(
        _ path: Path,
        options: FileOptions = .reading,
        completion: @escaping (Result<OpenFile, IOError>) -> Void
    ) throws(IOError) -> FileCall {
        try path.check(for: .openFile)
        try options.check(path)
        let call = OpenCall(path, options)
        call.onEnd = { [self, unowned call] in opened(call, completion) }
        return try begin(call)
    }

    private func opened(
        _ call: OpenCall,
        _ completion: @escaping (Result<OpenFile, IOError>) -> Void
    ) {
        guard let descriptor = call.opened else {
            return completion(
                .failure(call.failure ?? IOError(.openFile, reason: .closed, detail: call.detail))
            )
        }
        let file = OpenFile(loop: self, descriptor, call)
        _ = descriptors.adopt(descriptor, owner: file)
        guard call.options.isDirect else { return completion(.success(file)) }
        file.directAlignment = .page
        let query = file.attributesCall()
        query.onEnd = { [unowned query] in
            if query.failure == nil, let told = query.attributes.directAlignment {
                file.directAlignment = told
            }
            completion(.success(file))
        }
        file.begin(query)
    }

    /// Gives a file another name.
    ///
    /// - Parameters:
    ///   - path: the name it has.
    ///   - newPath: the name it gets.
    ///   - replaces: a file that has the name is replaced; otherwise it is EEXIST.
    ///   - completion: gets ENOENT, EXDEV, EEXIST, ENOTDIR, EISDIR and others of rename(2).
    /// - Returns: the call, which can be cancelled.
    /// - Throws: as of `openFile`.
    @discardableResult
    public func renameFile(
        _ path: Path,
        to newPath: Path,
        replaces: Bool = true,
        completion: @escaping (Result<Void, IOError>) -> Void
    ) throws(IOError) -> FileCall {
        try path.check(for: .renameFile)
        try newPath.check(for: .renameFile)
        let call = NameCall(.renameFile, path, .rename(to: newPath, replaces: replaces))
        return try begin(call, completion)
    }

    /// Removes a file's name, or an empty directory.
    ///
    /// - Parameters:
    ///   - path: the name.
    ///   - isDirectory: it is a directory's.
    ///   - completion: gets ENOENT, EISDIR, ENOTDIR, ENOTEMPTY and others of unlink(2) and rmdir(2).
    /// - Returns: the call, which can be cancelled.
    /// - Throws: as of `openFile`.
    @discardableResult
    public func removeFile(
        _ path: Path,
        isDirectory: Bool = false,
        completion: @escaping (Result<Void, IOError>) -> Void
    ) throws(IOError) -> FileCall {
        try path.check(for: .removeFile)
        return try begin(NameCall(.removeFile, path, .remove(isDirectory: isDirectory)), completion)
    }

    /// Makes a directory.
    ///
    /// - Parameters:
    ///   - path: its name.
    ///   - permissions: who may do what with it, less the umask.
    ///   - completion: gets EEXIST, ENOENT, ENOTDIR and others of mkdir(2).
    /// - Returns: the call, which can be cancelled.
    /// - Throws: as of `openFile`.
    @discardableResult
    public func makeDirectory(
        _ path: Path,
        permissions: FilePermissions = 0o755,
        completion: @escaping (Result<Void, IOError>) -> Void
    ) throws(IOError) -> FileCall {
        try path.check(for: .makeDirectory)
        guard permissions.rawValue <= 0o777 else {
            throw IOError(
                .makeDirectory,
                reason: .invalidArgument,
                detail: "\(path): permissions are 0 to 0o777, not \(permissions)"
            )
        }
        return try begin(NameCall(.makeDirectory, path, .makeDirectory(permissions)), completion)
    }

    /// Asks what lies at a path.
    ///
    /// - Parameters:
    ///   - path: the name.
    ///   - followsLinks: a symbolic link stands for what it leads to.
    ///   - completion: gets ENOENT, EACCES, ENOTDIR and others of statx(2).
    /// - Returns: the call, which can be cancelled.
    /// - Throws: as of `openFile`.
    @discardableResult
    public func fileAttributes(
        _ path: Path,
        followsLinks: Bool = true,
        completion: @escaping (Result<FileAttributes, IOError>) -> Void
    ) throws(IOError) -> FileCall {
        try path.check(for: .inspectFile)
        let call = StatusCall(path, isOpen: false, followsLinks: followsLinks)
        call.onEnd = { [unowned call] in
            completion(call.outcome.map { call.attributes })
        }
        return try begin(call)
    }

    /// Lists a directory, in the order of the file system; always on the offload.
    ///
    /// - Parameters:
    ///   - path: its name.
    ///   - completion: gets the names without `.` and `..`, or ENOENT, ENOTDIR, EACCES, and EOPNOTSUPP
    ///     on a loop without an offload.
    /// - Returns: the call, which can be cancelled.
    /// - Throws: as of `openFile`.
    @discardableResult
    public func listDirectory(
        _ path: Path,
        completion: @escaping (Result<[DirectoryEntry], IOError>) -> Void
    ) throws(IOError) -> FileCall {
        try path.check(for: .listDirectory)
        let call = ListCall(path)
        call.onEnd = { [unowned call] in
            completion(call.outcome.map { call.entries })
        }
        return try begin(call)
    }

    private func begin(
        _ call: FileCall,
        _ completion: @escaping (Result<Void, IOError>) -> Void
    ) throws(IOError) -> FileCall {
        call.onEnd = { [unowned call] in completion(call.outcome) }
        return try begin(call)
    }

    private func begin(_ call: FileCall) throws(IOError) -> FileCall {
        checkOnLoop()
        guard !isShutDown else {
            throw IOError(
                call.operation,
                reason: .closed,
                detail: "\(call.detail): the loop was shut down"
            )
        }
        PathOperation.begin(call, on: self)
        return call
    }
}
