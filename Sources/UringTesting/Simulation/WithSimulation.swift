/// Runs a server and its clients on a kernel in memory, where every choice comes from `seed`.
///
/// ```swift
/// @Test(arguments: 0..<1_000) func answersWhatItIsAsked(seed: UInt64) throws {
///     try withSimulation(seed: seed, shards: 2) { simulation in
///         simulation.serve { shard in try await MyServer(shard).run() }
///         let client = try simulation.connect(to: .tcp(host: "127.0.0.1", port: 7000))
///         try client.send(Array("hello".utf8))
///         #expect(try client.receive(exactly: 5) == Array("hello".utf8))
///     }
/// }
/// ```
///
/// When `body` has returned, the server drains and must end; nothing of it may be left. A handler
/// stays on its shard, waits with `shard.sleep(for:)` and never with `Task.sleep`, and uses nothing
/// that differs from run to run: then the same seed gives the same run, and a failure can be looked
/// at again. After a failure the server is ended too, its handlers cancelled.
///
/// > Thread: Any; everything happens on the calling thread, before it returns.
///
/// - Parameters:
///   - seed: what every choice comes from.
///   - shards: how many shards the server has, 1 to 16.
///   - options: what goes wrong, and how large things are.
///   - body: starts the server, and plays its clients.
/// - Returns: what `body` returns.
/// - Throws: `SimulationFailure` with the seed, the reason (an error of `body` among them) and the
///   last events.
public func withSimulation<Value>(
    seed: UInt64,
    shards: Int = 1,
    options: SimulationOptions = SimulationOptions(),
    _ body: (Simulation) throws -> Value
) throws -> Value {
    let simulation = try Simulation(seed: seed, shards: shards, options: options)
    defer { simulation.takeApart() }
    do {
        let value = try body(simulation)
        if let error = try simulation.end() { throw error }
        return value
    } catch let failure as SimulationFailure {
        throw failure
    } catch {
        throw simulation.failure("\(error)")
    }
}
