/// A file descriptor of this process.
///
/// It is a number, not an owner: the `DescriptorTable` owns and closes.
///
/// > Thread: Any thread.
public struct Descriptor: RawRepresentable, Hashable, Sendable {
    /// The number the kernel knows it by.
    public let rawValue: Int32

    /// Wraps a descriptor number.
    public init(rawValue: Int32) {
        self.rawValue = rawValue
    }
}
