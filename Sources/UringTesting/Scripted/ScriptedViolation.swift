package import UringEngine

/// A rule of the seam that a loop broke.
///
/// A `ScriptedDriver` records it and traps unless told otherwise.
///
/// > Thread: Any thread.
package enum ScriptedViolation: Hashable, Sendable, CustomStringConvertible {
    /// A descriptor was closed before the loop had read the terminal completions of these
    /// operations.
    case closedInFlight(Descriptor, [OperationToken])
    /// A number was used that is closed, or that the driver never handed out.
    case usedWhileClosed(Descriptor)
    /// A send was prepared while another one on that descriptor was not over: the stream's order is
    /// lost.
    case overlappingSends(Descriptor)
    /// A token was used twice.
    case reusedToken(OperationToken)
    /// Memory given to an operation changed before its terminal completion.
    case changedMemory(OperationToken)

    /// One sentence that says what was broken and by whom.
    package var description: String {
        switch self {
        case .closedInFlight(let descriptor, let tokens):
            "fd \(descriptor.rawValue) was closed with operations in flight: "
                + tokens.map(\.text).joined(separator: ", ")
        case .usedWhileClosed(let descriptor):
            "fd \(descriptor.rawValue) was used while it is not open"
        case .overlappingSends(let descriptor):
            "fd \(descriptor.rawValue) got a second send before the first one was over"
        case .reusedToken(let token):
            "the token of \(token.text) was used twice"
        case .changedMemory(let token):
            "memory of \(token.text) changed before its terminal completion"
        }
    }
}
