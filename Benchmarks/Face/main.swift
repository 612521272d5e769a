// What the async face costs, and what scheduling on one loop costs: each figure the median of batches, in
// nanoseconds of wall time. Prints one JSON object. The argument is `face` or `scheduling`.

import Logging
import UringCore
import UringEngine

let section = CommandLine.arguments.dropFirst().first ?? "face"
let batches = CommandLine.arguments.dropFirst(2).first.flatMap { Int($0) } ?? 31

var configuration = Configuration()
configuration.cores = .all
configuration.stallLimit = .zero
let supervisor = try Supervisor(
    configuration: configuration,
    logger: Logger(label: "face") { _ in SwiftLogNoOpLogHandler() }
)
try await supervisor.run { shard in
    guard shard.index == 0 else { return try await shard.untilDrain() }
    let rows =
        section == "scheduling"
        ? try await Scheduling(shard, batches: batches).measure()
        : try await Face(shard, batches: batches).measure()
    print("{" + rows.map { "\"\($0.0)\": \($0.1.rounded())" }.joined(separator: ", ") + "}")
    supervisor.drain()
}
