/// Bytes that the program makes, to be sent from where they are: what `write` does with received bytes,
/// for memory of one's own.
///
/// ```swift
/// let answer = OwnedBytes(capacity: 4) { $0.append(sequenceNumber, as: UInt32.self) }
/// try await connection.write(answer)
/// ```
///
/// > Thread: Any thread may make, hold and end it.
/// > Ownership: One owner. `write` takes it over, and its memory is freed when the kernel has taken the
/// > bytes.
public struct OwnedBytes: ~Copyable, Sendable {
    /// The same, as what is written.
    package let contents: ReceivedBytes

    /// Allocates memory and lets `body` fill it.
    ///
    /// - Parameters:
    ///   - capacity: how many bytes there is room for; all of it counts as queued until it was sent.
    ///   - body: appends the bytes.
    /// - Throws: what `body` throws; the memory is freed.
    /// - Precondition: 0 ≤ capacity < 2 GiB.
    public init<Failure: Error>(
        capacity: Int,
        initializingWith body: (inout OutputRawSpan) throws(Failure) -> Void
    ) throws(Failure) {
        contents = try ReceivedBytes(heapCapacity: capacity, initializingWith: body)
    }

    /// Copies bytes.
    public init(copying bytes: RawSpan) {
        // Safety: the bytes are copied before the span ends.
        contents = unsafe bytes.withUnsafeBytes { unsafe ReceivedBytes(copying: $0) }
    }

    /// How many bytes there are.
    public var byteCount: Int { contents.byteCount }

    /// Calls `body` with the bytes; they are valid during the call.
    public borrowing func withBytes<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
        try contents.withBytes(body)
    }

    /// Moves the bytes out.
    package consuming func takeContents() -> ReceivedBytes { contents }
}
