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
    ///   - range: which bytes; nil for as many as the file says that it holds now, or to its end when it
    ///     says none, as those in /proc do; one that has no end, such as /dev/zero, is sent for ever.
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
        let start = range?.lowerBound ?? 0
        let end = try await end(of: range, in: file)
        let reader = FileReader(file.core, from: start, to: end ?? Self.offsetMax, options)
        do throws(IOError) {
            while reader.offset < end ?? Self.offsetMax {
                guard try await sendNext(of: reader, file, end) else { break }
            }
        } catch {
            // Another task's write is none of this one's doing.
            if error.reason != .busy { core.abort() }
            throw error
        }
        return reader.offset - start
    }

    /// No file reaches further (off_t).
    private static let offsetMax = UInt64(Int64.max)

    /// Where to stop; nil for wherever the file ends.
    private func end(of range: Range<UInt64>?, in file: File) async throws(IOError) -> UInt64? {
        if let range { return range.upperBound }
        let byteCount = try await file.attributes().byteCount
        return byteCount > 0 ? byteCount : nil
    }

    /// - Returns: false when nothing was left of a file that is sent to its end.
    private func sendNext(
        of reader: FileReader,
        _ file: File,
        _ end: UInt64?
    ) async throws(IOError) -> Bool {
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
            guard let end else { return false }
            throw IOError(
                .sendFile,
                reason: .truncated,
                detail: "\(file.path) ends at \(reader.offset), before \(end)"
            )
        }
        if try !core.write(chunk) { try await core.awaitRoom(timeout: nil) }
        return true
    }
}
