/// Files and paths.
extension Shard {
    /// Opens a file.
    ///
    /// > Ownership: Whoever gets it closes it; what is left is closed when the shard's handlers have
    ///   ended. Where a scope will do, `withFile` sees to that.
    ///
    /// - Parameters:
    ///   - path: relative ones begin at the process's working directory.
    ///   - options: see there.
    /// - Returns: the file.
    /// - Throws: ENOENT, EACCES, EISDIR, ENOTDIR, ELOOP, EEXIST, EMFILE, ENAMETOOLONG and others of
    ///   open(2), naming the path; `.invalidArgument`, `.cancelled`, `.closed`, `.wrongShard`.
    public func openFile(
        _ path: Path,
        options: FileOptions = .reading
    ) async throws(IOError) -> File {
        try check(.openFile)
        let box = ResultBox<OpenFile>()
        let call = try loop.openFile(path, options: options) { box.put($0) }
        let file = try await box.take(from: call, on: self)
        return File(shard: self, file: file)
    }

    /// Opens a file, and closes it with the scope.
    ///
    /// - Parameters:
    ///   - path: as of `openFile`.
    ///   - options: as of `openFile`.
    ///   - body: uses the file.
    /// - Returns: what `body` returns.
    /// - Throws: as of `openFile`, what `body` throws, and what `File.close` throws after a body that
    ///   returned.
    public func withFile<Value>(
        _ path: Path,
        options: FileOptions = .reading,
        _ body: (File) async throws -> Value
    ) async throws -> Value {
        let file = try await openFile(path, options: options)
        do {
            let value = try await body(file)
            try await file.close()
            return value
        } catch {
            file.closeSoon()
            throw error
        }
    }

    /// Gives a file or directory another name, in one step.
    ///
    /// - Parameters:
    ///   - path: the name it has.
    ///   - newPath: the name it gets, on the same file system.
    ///   - replaces: a file that has the name is replaced; otherwise it is EEXIST.
    /// - Throws: ENOENT, EXDEV, EEXIST, ENOTDIR, EISDIR, ENOTEMPTY and others of rename(2), naming both
    ///   paths; otherwise as of `openFile`.
    public func renameFile(
        _ path: Path,
        to newPath: Path,
        replaces: Bool = true
    ) async throws(IOError) {
        try check(.renameFile)
        let box = ResultBox<Void>()
        let call = try loop.renameFile(path, to: newPath, replaces: replaces) { box.put($0) }
        try await box.take(from: call, on: self)
    }

    /// Removes a file's name.
    ///
    /// - Throws: ENOENT, EISDIR, EACCES, EPERM and others of unlink(2); otherwise as of `openFile`.
    public func removeFile(_ path: Path) async throws(IOError) {
        try await remove(path, isDirectory: false)
    }

    /// Removes an empty directory.
    ///
    /// - Throws: ENOENT, ENOTDIR, ENOTEMPTY, EBUSY and others of rmdir(2); otherwise as of `openFile`.
    public func removeDirectory(_ path: Path) async throws(IOError) {
        try await remove(path, isDirectory: true)
    }

    private func remove(_ path: Path, isDirectory: Bool) async throws(IOError) {
        try check(.removeFile)
        let box = ResultBox<Void>()
        let call = try loop.removeFile(path, isDirectory: isDirectory) { box.put($0) }
        try await box.take(from: call, on: self)
    }

    /// Makes a directory.
    ///
    /// - Parameters:
    ///   - path: its name; what leads to it must be there.
    ///   - permissions: who may do what with it, less the umask.
    /// - Throws: EEXIST, ENOENT, ENOTDIR and others of mkdir(2); otherwise as of `openFile`.
    public func makeDirectory(
        _ path: Path,
        permissions: FilePermissions = 0o755
    ) async throws(IOError) {
        try check(.makeDirectory)
        let box = ResultBox<Void>()
        let call = try loop.makeDirectory(path, permissions: permissions) { box.put($0) }
        try await box.take(from: call, on: self)
    }

    /// Asks what lies at a path.
    ///
    /// - Parameters:
    ///   - path: the name.
    ///   - followsLinks: a symbolic link stands for what it leads to.
    /// - Returns: what the file system says.
    /// - Throws: ENOENT, EACCES, ENOTDIR, ELOOP and others of statx(2); otherwise as of `openFile`.
    public func fileAttributes(
        _ path: Path,
        followsLinks: Bool = true
    ) async throws(IOError) -> FileAttributes {
        try check(.inspectFile)
        let box = ResultBox<FileAttributes>()
        let call = try loop.fileAttributes(path, followsLinks: followsLinks) { box.put($0) }
        return try await box.take(from: call, on: self)
    }

    /// Lists a directory, in the order of the file system, without `.` and `..`.
    ///
    /// The kernel has no operation for it: it is done by `LoopOptions.offload`, and fails with
    /// EOPNOTSUPP without one.
    ///
    /// - Throws: ENOENT, ENOTDIR, EACCES and others of open(2) and getdents64(2); otherwise as of
    ///   `openFile`.
    public func listDirectory(_ path: Path) async throws(IOError) -> [DirectoryEntry] {
        try check(.listDirectory)
        let box = ResultBox<[DirectoryEntry]>()
        let call = try loop.listDirectory(path) { box.put($0) }
        return try await box.take(from: call, on: self)
    }
}

/// Where the callback face leaves its answer for a task.
///
/// > Thread: On-loop only, but for what says otherwise.
@safe private final class ResultBox<Value>: @unchecked Sendable {
    // Sendable: a cancellation holds a reference and posts; all else happens on the loop's thread.
    // Safety: the continuation is resumed exactly once, by whoever takes it out, or at once.
    private var result: Result<Value, IOError>?
    private var continuation: UnsafeContinuation<Void, Never>?

    func put(_ result: Result<Value, IOError>) {
        self.result = result
        guard let waiting = unsafe continuation else { return }
        unsafe continuation = nil
        unsafe waiting.resume()
    }

    /// Waits for the answer; a cancelled task asks for the call's end, and waits for that.
    func take(from call: FileCall, on shard: Shard) async throws(IOError) -> Value {
        let operation = call.operation
        let handle = CancelledCall(call: call, loop: shard.loop)
        let deadline = CallDeadline(of: call, on: shard.loop)
        await withTaskCancellationHandler {
            await unsafe withUnsafeContinuation { unsafe suspend($0, on: shard.loop) }
        } onCancel: {
            handle.cancel()
        }
        deadline?.end()
        guard shard.isCurrent else {
            shard.loop.perform { [self] in giveBack() }
            try shard.check(.elsewhere, operation)
            throw IOError(operation, reason: .wrongShard)
        }
        guard let result else { throw Runtime.ended(shard, operation) }
        if case .failure(let failure) = result {
            throw deadline?.error(for: failure) ?? failure
        }
        return try result.get()
    }

    /// What a task got that went on elsewhere is nobody's.
    private func giveBack() {
        if case .success(let value) = result { (value as? OpenFile)?.close() }
    }

    /// > Thread: Any thread.
    private func suspend(_ continuation: UnsafeContinuation<Void, Never>, on loop: EventLoop) {
        guard loop.isRunningHere else {
            let isQueued = loop.callBeforeEnd { unsafe self.suspend(continuation, on: loop) }
            if !isQueued { unsafe continuation.resume() }
            return
        }
        if result != nil {
            unsafe continuation.resume()
        } else {
            unsafe self.continuation = continuation
        }
    }
}

/// A call that another thread may ask to end.
///
/// > Thread: Any thread.
private struct CancelledCall: @unchecked Sendable {
    // Safety: the call is only touched on its loop's thread.
    let call: FileCall
    let loop: EventLoop

    func cancel() {
        loop.callSoonThreadsafe { self.call.cancel() }
    }
}
