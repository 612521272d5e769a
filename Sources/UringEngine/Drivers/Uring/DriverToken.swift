/// The operations that a driver prepares for itself.
///
/// Their completions never reach the loop.
enum DriverToken: UInt32 {
    /// The poll of the waker's eventfd.
    case waker
    /// The cancel of everything, at the end.
    case cancelAll
    /// The cancel of the waker's poll, where everything cannot be cancelled at once.
    case cancelWaker
    /// The operation that a self-test is about.
    case selfTest
    /// The end of that operation.
    case selfTestCancel
    /// The deadline of a connect.
    case connectDeadline
}

extension OperationToken {
    /// The token of a driver's own operation.
    static func driverOwn(_ token: DriverToken) -> OperationToken {
        OperationToken(
            generation: .first,
            kind: .driverOwn,
            slot: SlotIndex(rawValue: token.rawValue)
        )
    }

    /// The operation is a driver's own: one byte of the word says so.
    @inline(__always)
    var isDriverOwn: Bool { hasKind(.driverOwn) }
}
