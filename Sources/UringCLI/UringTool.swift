internal import ArgumentParser

/// The tool: shows the runtime at work.
@main
struct UringTool: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "uringcore",
        abstract: "A thread-per-core runtime on io_uring.",
        subcommands: [EchoCommand.self, LoadCommand.self]
    )
}
