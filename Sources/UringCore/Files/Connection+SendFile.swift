extension Connection {
    /// Sends a file, or a part of it, after what was written before: read ahead into memory of the
    /// loop's, and sent from there without a copy.
    ///
    /// No more waits to be sent than the write watermarks allow, and what is read ahead. Other tasks that
    /// write meanwhile get `.busy`. (splice(2) keeps the bytes out of the process and costs more: it
    /// blocks, so that a ring gives it to a worker thread; docs/decisions/0016.)
    ///
    /// The peer gets exactly these bytes, or the connection is reset: when the file ends before the range
    /// does, cannot be read, or the task is cancelled, no other byte follows and no end of the stream that
    /// claims to be complete.
    ///
    /// - Parameters:
    ///   - file: what to send; it must be of the same shard.
    ///   - range: which bytes; nil for all that the file holds now.
    ///   - options: how the file is read.
    /// - Returns: how many bytes were queued.
    /// - Throws: `.truncated` when the file ends early, what the read says, `.cancelled`, `.busy` when
    ///   another task writes, `.closed`, `.wrongShard`, and what ended the connection.
    @discardableResult
    public func sendFile(
        _ file: File,
        range: Range<UInt64>? = nil,
        options: FileChunkOptions = FileChunkOptions()
    ) async throws(IOError) -> UInt64 {
        try core.checkShard(.sendFile)
        try options.check(file.path)
        let range = try await resolve(range, of: file)
        let reader = FileReader(
            file.core,
            from: range.lowerBound,
            to: range.upperBound,
            options
        )
        do throws(IOError) {
            while reader.offset < range.upperBound { try await sendNext(of: reader, file, range) }
        } catch {
            // Another task's write is none of this one's doing.
            if error.reason != .busy { core.abort() }
            throw error
        }
        return range.upperBound - range.lowerBound
    }

    private func resolve(
        _ range: Range<UInt64>?,
        of file: File
    ) async throws(IOError) -> Range<UInt64> {
        if let range { return range }
        let attributes = try await file.attributes()
        return 0..<attributes.byteCount
    }

    private func sendNext(
        of reader: FileReader,
        _ file: File,
        _ range: Range<UInt64>
    ) async throws(IOError) {
        try core.holdWriting()
        let chunk: ReceivedBytes?
        do throws(IOError) {
            chunk = try await reader.next()
        } catch {
            try core.endHold()
            throw error
        }
        try core.endHold()
        guard let chunk else {
            throw IOError(
                .sendFile,
                reason: .truncated,
                detail: "\(file.path) ends at \(reader.offset), before \(range.upperBound)"
            )
        }
        if try !core.write(chunk) { try await core.awaitRoom(timeout: nil) }
    }
}
