/// Reads from an open file.
///
/// > Thread: On-loop only.
/// > Ownership: It owns the memory, until `takeBytes`.
@safe package final class ReadCall: FileCall {
    // Safety: `start` is the first byte of `storage`, which does not move.
    // Exclusivity: as of `FileCall`.
    @safe @exclusivity(unchecked) private var storage: ByteStorage?
    private let start: UnsafeMutableRawPointer
    private let offset: UInt64
    /// How much of it is asked for.
    package let byteCount: Int
    private let fillsAll: Bool
    /// What offsets are multiples of: less than that comes only at the end.
    private let unitBytes: Int
    /// How much of it came.
    @safe @exclusivity(unchecked) package private(set) var filledCount = 0

    /// Reads up to `byteCount` bytes; with a unit it goes on until all are there, or the file ends.
    init(
        _ path: Path,
        into storage: consuming ByteStorage,
        at offset: UInt64,
        byteCount: Int,
        fillsInUnitsOf unitBytes: Int?
    ) {
        unsafe self.start = storage.base
        self.storage = consume storage
        self.offset = offset
        self.byteCount = byteCount
        self.fillsAll = unitBytes != nil
        self.unitBytes = unitBytes ?? 1
        super.init(.readFile, path)
    }

    /// Asks for what is left.
    package override func request(on target: FileTarget) -> FileRequest {
        let rest = unsafe UnsafeMutableRawBufferPointer(
            start: start + filledCount,
            count: byteCount - filledCount
        )
        return unsafe .read(target, into: rest, offset: offset &+ UInt64(filledCount))
    }

    /// Counts what came.
    package override func taken(_ result: Int) -> Step {
        precondition(result <= byteCount - filledCount, "no more comes than was asked for")
        filledCount += result
        let isEnd = result == 0 || filledCount == byteCount || filledCount % unitBytes != 0
        return isEnd || !fillsAll ? .over : .again
    }

    /// Takes the bytes out; nil at the end of the file.
    package func takeBytes() -> ReceivedBytes? {
        precondition(isOver, "the memory is the kernel's until the call has ended")
        guard filledCount > 0, let storage = storage.take() else { return nil }
        return ReceivedBytes(storage, byteCount: filledCount)
    }

    /// Gives memory back that nobody will take, for who holds the call longer than it lasts.
    func dropMemory() {
        if isOver, !keepsMemory { storage = nil }
    }

    /// Says where.
    package override var detail: String { "\(path), \(byteCount) bytes at \(offset)" }
}

/// Writes to an open file, all of it.
///
/// > Thread: On-loop only.
/// > Ownership: It owns the bytes.
@safe package final class WriteCall: FileCall {
    // Safety: `start` is the first of the bytes, which do not move.
    private var bytes: ReceivedBytes?
    private let start: UnsafeRawPointer
    private let offset: UInt64
    private let byteCount: Int
    /// How many the kernel took.
    package private(set) var writtenCount = 0

    /// Writes from `offset` on; a file opened for appending takes it at its end.
    init(_ path: Path, _ bytes: consuming ReceivedBytes, at offset: UInt64) {
        unsafe self.start = UnsafeRawPointer(bytes.storage.base) + Int(bytes.offset)
        self.byteCount = bytes.byteCount
        self.bytes = consume bytes
        self.offset = offset
        super.init(.writeFile, path)
    }

    /// Asks for what is left.
    package override func request(on target: FileTarget) -> FileRequest {
        let rest = unsafe UnsafeRawBufferPointer(
            start: start + writtenCount,
            count: byteCount - writtenCount
        )
        return unsafe .write(target, from: rest, offset: offset &+ UInt64(writtenCount))
    }

    /// Counts what was taken; a write that takes nothing would go on for ever.
    package override func taken(_ result: Int) -> Step {
        precondition(result <= byteCount - writtenCount, "no more is taken than was given")
        writtenCount += result
        if writtenCount == byteCount { return .over }
        return result == 0 ? fail(.errno(.inputOutput)) : .again
    }

    /// Says where, and how far it came.
    package override var detail: String {
        "\(path), \(writtenCount) of \(byteCount) bytes written at \(offset)"
    }

    /// The bytes go back where they came from.
    package override func endUse() {
        bytes = nil
    }
}

/// Any other call on an open file.
///
/// > Thread: On-loop only.
package final class PlainFileCall: FileCall {
    private let makeRequest: (FileTarget) -> FileRequest

    init(
        _ operation: IOError.Operation,
        _ path: Path,
        isMadeOnce: Bool = false,
        _ makeRequest: @escaping (FileTarget) -> FileRequest
    ) {
        self.makeRequest = makeRequest
        super.init(operation, path, isMadeOnce: isMadeOnce)
    }

    /// Asks for it.
    package override func request(on target: FileTarget) -> FileRequest { makeRequest(target) }
}
