/// The engine's hold on one pool buffer.
///
/// Ending it twice does not compile; forgetting it traps.
///
/// > Thread: On-loop only.
/// > Ownership: Exactly one value per lent buffer; `end` moves the buffer on.
package struct BufferLease: ~Copyable {
    /// The buffer held.
    package let id: BufferID

    deinit {
        Self.trapOnLeak(id)
    }

    /// Ends the lease; the caller now answers for the buffer.
    package consuming func end() -> BufferID {
        let id = id
        discard self
        return id
    }

    private static func trapOnLeak(_ id: BufferID) {
        preconditionFailure("the lease of buffer \(id.rawValue) was forgotten")
    }
}
