/// The calls on an open file, made with checked arguments and not begun yet.
extension OpenFile {
    /// Makes a read; `fillsAll` goes on until all is there or the file ends.
    ///
    /// - Throws: `.invalidArgument`.
    package func readCall(
        at offset: UInt64,
        byteCount: Int,
        fillsAll: Bool
    ) throws(IOError) -> ReadCall {
        guard (1...Self.transferBytesMax).contains(byteCount) else {
            throw invalid(
                .readFile,
                "a read takes 1 to \(Self.transferBytesMax) bytes, not \(byteCount)"
            )
        }
        try checkEnd(.readFile, offset, UInt64(byteCount))
        try checkAlignment(.readFile, offset, byteCount)
        return ReadCall(
            path,
            into: loop.fileStorage(byteCount: byteCount),
            at: offset,
            byteCount: byteCount,
            fillsInUnitsOf: fillsAll ? directAlignment?.offsetBytes ?? 1 : nil
        )
    }

    /// Makes a write; at the end where `offset` is nil.
    ///
    /// - Throws: `.invalidArgument`.
    package func writeCall(
        _ bytes: consuming ReceivedBytes,
        at offset: UInt64?
    ) throws(IOError) -> WriteCall {
        let byteCount = bytes.byteCount
        guard (1...Self.transferBytesMax).contains(byteCount) else {
            throw invalid(
                .writeFile,
                "a write takes 1 to \(Self.transferBytesMax) bytes, not \(byteCount)"
            )
        }
        guard (offset == nil) == (options.access == .append) else {
            throw invalid(
                .writeFile,
                offset == nil
                    ? "only a file opened to append has an end to write to; give an offset"
                    : "a file opened to append is written at its end alone; use append"
            )
        }
        try checkEnd(.writeFile, offset ?? 0, UInt64(byteCount))
        try checkAlignment(.writeFile, offset ?? 0, byteCount)
        return WriteCall(path, aligned(bytes), at: offset ?? 0)
    }

    /// Makes a sync.
    package func syncCall(isDataOnly: Bool) -> PlainFileCall {
        PlainFileCall(.syncFile, path) { .sync($0, isDataOnly: isDataOnly) }
    }

    /// Makes a query for its attributes.
    package func attributesCall() -> StatusCall { StatusCall(path, isOpen: true) }

    /// Makes an allocation.
    ///
    /// - Throws: `.invalidArgument`.
    package func allocateCall(
        _ range: Range<UInt64>,
        keepsSize: Bool
    ) throws(IOError) -> PlainFileCall {
        guard !range.isEmpty else {
            throw invalid(.allocate, "an allocation is of 1 byte at least, not \(range)")
        }
        let byteCount = range.upperBound - range.lowerBound
        try checkEnd(.allocate, range.lowerBound, byteCount)
        return PlainFileCall(.allocate, path) {
            .allocate($0, offset: range.lowerBound, byteCount: byteCount, keepsSize: keepsSize)
        }
    }

    /// Makes a truncation.
    ///
    /// - Throws: `.invalidArgument`.
    package func truncateCall(_ byteCount: UInt64) throws(IOError) -> PlainFileCall {
        try checkEnd(.truncateFile, byteCount, 0)
        return PlainFileCall(.truncateFile, path) { .truncate($0, byteCount: byteCount) }
    }

    // MARK: Checks

    private func invalid(_ operation: IOError.Operation, _ detail: String) -> IOError {
        IOError(operation, reason: .invalidArgument, detail: "\(path): \(detail)")
    }

    /// Offsets are signed in the kernel (off_t).
    private func checkEnd(
        _ operation: IOError.Operation,
        _ offset: UInt64,
        _ byteCount: UInt64
    ) throws(IOError) {
        let (end, isBeyond) = offset.addingReportingOverflow(byteCount)
        guard isBeyond || end > UInt64(Int64.max) else { return }
        throw invalid(operation, "a file ends at \(Int64.max) at the latest; got \(offset)")
    }

    private func checkAlignment(
        _ operation: IOError.Operation,
        _ offset: UInt64,
        _ byteCount: Int
    ) throws(IOError) {
        guard let unit = directAlignment?.offsetBytes else { return }
        guard offset % UInt64(unit) != 0 || byteCount % unit != 0 else { return }
        throw invalid(
            operation,
            "direct transfers are multiples of \(unit) bytes; got \(byteCount) at \(offset)"
        )
    }

    /// Direct writes begin at aligned memory: what does not is copied.
    // Safety: the copy is made while both live.
    private func aligned(_ bytes: consuming ReceivedBytes) -> ReceivedBytes {
        guard let unit = directAlignment?.memoryBytes else { return bytes }
        let start = unsafe UnsafeRawPointer(bytes.storage.base) + Int(bytes.offset)
        guard Int(bitPattern: start) % unit != 0 else { return bytes }
        let storage = loop.fileStorage(byteCount: bytes.byteCount)
        unsafe storage.base.copyMemory(from: start, byteCount: bytes.byteCount)
        return ReceivedBytes(storage, byteCount: bytes.byteCount)
    }
}
