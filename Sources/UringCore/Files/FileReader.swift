/// Reads a file from one place to another, some chunks ahead of who takes them.
///
/// > Thread: On its shard only.
/// > Ownership: What was read ahead and is not taken goes back when its read has ended.
final class FileReader: @unchecked Sendable {
    // Safety: every way in checks that it is on the loop's thread.
    private let core: FileCore
    private let chunkBytes: Int
    private let end: UInt64
    private let aheadMax: Int
    /// Where the next chunk that is handed over begins.
    private(set) var offset: UInt64
    /// Where the next read that is begun begins.
    private var nextOffset: UInt64
    private var ahead: [CallWait<ReadCall>] = []
    private var isOver = false

    init(_ core: FileCore, from start: UInt64, to end: UInt64, _ options: FileChunkOptions) {
        self.core = core
        self.chunkBytes = options.chunkBytes
        self.aheadMax = options.chunksAhead
        self.offset = start
        self.nextOffset = start
        self.end = end
    }

    deinit {
        drop()
    }

    /// Takes the next chunk; nil at the end of the range or of the file.
    ///
    /// - Throws: what the read says; after that it is over.
    func next() async throws(IOError) -> ReceivedBytes? {
        try core.shard.check(.readFile)
        guard !isOver else { return nil }
        do throws(IOError) {
            try readAhead()
            guard !ahead.isEmpty else {
                isOver = true
                return nil
            }
            let call = try await core.shard.finish(ahead.removeFirst())
            return taken(call)
        } catch {
            isOver = true
            drop()
            throw error
        }
    }

    private func taken(_ call: ReadCall) -> ReceivedBytes? {
        offset += UInt64(call.filledCount)
        guard call.filledCount < call.byteCount else { return call.takeBytes() }
        // The file ended here, but it may grow: what was read further on is not what comes next.
        drop()
        nextOffset = offset
        isOver = call.filledCount == 0 || core.file.directAlignment != nil
        return call.takeBytes()
    }

    private func readAhead() throws(IOError) {
        while ahead.count <= aheadMax, nextOffset < end {
            let byteCount = Int(min(UInt64(chunkBytes), end - nextOffset))
            let call = try core.file.readCall(at: nextOffset, byteCount: byteCount, fillsAll: true)
            ahead.append(CallWait(call, on: core.shard.loop))
            nextOffset += UInt64(byteCount)
            core.file.begin(call)
        }
    }

    /// Nobody takes what was read ahead.
    private func drop() {
        let dropped = ahead
        ahead = []
        guard !dropped.isEmpty else { return }
        core.shard.loop.perform {
            for wait in dropped { wait.call.cancel() }
        }
    }
}
