/// How frames stand in a stream: a length, then so many bytes.
///
/// > Thread: Any thread.
public struct FrameFormat: Hashable, Sendable {
    /// How many bytes the length has.
    ///
    /// > Thread: Any thread.
    public enum LengthWidth: Int, Hashable, Sendable, CaseIterable {
        case one = 1
        case two = 2
        case four = 4
        case eight = 8
    }

    /// How many bytes the length has; it counts what stands behind it.
    public var lengthWidth: LengthWidth
    /// The length's first byte is its most significant one.
    public var isBigEndian: Bool
    /// The longest frame that is accepted, in bytes; a longer one is `.tooLong`.
    public var frameBytesMax: Int

    /// Four bytes, the most significant first, and frames of up to 1 MiB, unless it is said otherwise.
    public init(
        lengthWidth: LengthWidth = .four,
        isBigEndian: Bool = true,
        frameBytesMax: Int = 1_048_576
    ) {
        self.lengthWidth = lengthWidth
        self.isBigEndian = isBigEndian
        self.frameBytesMax = frameBytesMax
    }

    /// The longest frame that a length of this width announces, and that can be counted with it.
    private var widthMax: Int {
        let width = lengthWidth.rawValue
        return width == 8 ? Int.max - width : 1 << (8 * width) - 1
    }

    /// Reads a length; nil when it is more than is accepted.
    func length(_ field: some Collection<UInt8>) -> Int? {
        let bytes = isBigEndian ? Array(field) : field.reversed()
        let length = bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return length <= UInt64(clamping: min(frameBytesMax, widthMax)) ? Int(length) : nil
    }

    /// A length's bytes.
    ///
    /// - Throws: `.tooLong` for more than is accepted, or than the width can say.
    func field(of length: Int) throws(IOError) -> [UInt8] {
        let width = lengthWidth.rawValue
        guard length <= min(frameBytesMax, widthMax) else {
            throw tooLong(.write, "a frame of \(length) bytes")
        }
        let bytes = (0..<width).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
        return isBigEndian ? bytes.reversed() : bytes
    }

    func tooLong(_ operation: IOError.Operation, _ what: String) -> IOError {
        let accepted = min(frameBytesMax, widthMax)
        return IOError(operation, reason: .tooLong, detail: "\(what); accepted: 0 to \(accepted)")
    }
}
