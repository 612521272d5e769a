/// When a writer shall pause, and when it may go on: bytes of pinned memory that wait to be sent.
///
/// > Thread: Any thread.
enum WriteLimits {
    /// Checks a pair of watermarks.
    ///
    /// - Throws: `.invalidArgument` unless 0 ≤ low ≤ high.
    static func check(low: Int, high: Int, of descriptor: Descriptor) throws(IOError) {
        guard 0 <= low, low <= high else {
            throw IOError(
                .setOption,
                descriptor: descriptor,
                reason: .invalidArgument,
                detail: "watermarks need 0 <= low <= high, got low \(low), high \(high)"
            )
        }
    }
}
