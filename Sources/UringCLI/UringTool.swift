internal import ArgumentParser

/// The tool: shows the runtime at work.
@main
struct UringTool: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "uringcore",
        abstract: "A thread-per-core runtime on io_uring.",
        subcommands: [EchoCommand.self, LoadCommand.self, InfoCommand.self]
    )

    /// What the tool writes may meet a closed or deaf stream from its first line on.
    static func main() async {
        StandardStreams.prepare()
        await main(nil)
    }
}
