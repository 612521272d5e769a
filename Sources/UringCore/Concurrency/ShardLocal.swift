/// State of one shard that async code may carry about: a Sendable box around something that is not.
///
/// ```swift
/// let cache = ShardLocal([String: String](), on: shard)
/// try await listener.serve { connection in
///     let value = cache.withState { $0["key"] }
/// }
/// ```
///
/// No lock: access is synchronous, and only on the shard.
///
/// > Thread: On its shard only; elsewhere `withState` traps. The box itself may go anywhere.
public final class ShardLocal<State>: @unchecked Sendable {
    // Safety: `withState` checks the thread; the value is let go wherever the last reference ends,
    // and nobody else can reach it then.
    private let shard: Shard
    private var state: State

    /// Puts state on a shard.
    public init(_ state: sending State, on shard: Shard) {
        self.shard = shard
        self.state = state
    }

    /// Calls `body` with the state.
    ///
    /// Precondition: the calling thread runs the shard; reached with `Shard.submit(to:_:)` from
    /// elsewhere.
    public func withState<Result, Failure>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(shard.isCurrent, "the state of \(shard) is used on its shard; use submit(to:)")
        return try body(&state)
    }
}
