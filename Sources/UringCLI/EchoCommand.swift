internal import ArgumentParser
internal import UringCore

/// `uringcore echo`: sends every byte back.
struct EchoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "echo",
        abstract: "Serve TCP echo on the first chosen core until SIGTERM or SIGINT.",
        discussion: """
            Cores and memory are set by URINGCORE_* variables. When the server listens it prints one line with its \
            address, then the line `ready`. SIGTERM and SIGINT drain and exit 0; a second one ends it at once. A \
            setting that cannot be used exits 78.
            """
    )

    /// How the handler is written.
    enum Style: String, ExpressibleByArgument, CaseIterable {
        case callback
    }

    @Option(help: "The numeric IPv4 or IPv6 address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "The port to listen on; 0 takes a free one.")
    var port: UInt16 = 7000

    @Option(
        help:
            "How the handler is written: \(Style.allCases.map(\.rawValue).joined(separator: ", "))."
    )
    var style = Style.callback

    func run() throws {
        let server = try settings { () throws in
            try EchoServer(configuration: .fromEnvironment(), address: address())
        }
        try server.run()
    }

    private func address() throws -> SocketAddress {
        try SocketAddress(host: host, port: port)
    }

    /// What is wrong with a setting ends the tool with one line and status 78.
    private func settings<Value>(_ read: () throws -> Value) throws -> Value {
        do {
            return try read()
        } catch {
            ExitStatus.complain("\(error)")
            throw ExitStatus.badSetting
        }
    }
}
