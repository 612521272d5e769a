import Glibc
import NIOCore
import NIOPosix

/// `nio-echo`: sends every byte back, by SwiftNIO.
///
/// Prints `ready` as a line once it listens, ends with status 0 on SIGTERM.
@main
enum NIOEcho {
    /// The kernel cuts this down to net.core.somaxconn.
    private static let backlog: Int32 = 4096

    static func main() {
        do {
            try serve(Options(Array(CommandLine.arguments.dropFirst())))
        } catch let error as UsageError {
            let usage = "usage: nio-echo --host A --port N --style S --threads N"
            end("\(error.text)\n\(usage)", status: 64)
        } catch {
            end("\(error)", status: 1)
        }
    }

    private static func serve(_ options: Options) throws {
        let termination = Termination()
        let group = try makeGroup(options)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
        switch options.style {
        case .channel:
            try ChannelEcho.start(bootstrap, options)
            announceReady()
        case .async, .asyncOnePool:
            startTask(bootstrap, options)
        }
        termination.wait()
        // Tasks would go on asking a group that was shut down; the process's end takes them along.
        if options.style == .channel { try group.syncShutdownGracefully() }
    }

    private static func makeGroup(_ options: Options) throws -> MultiThreadedEventLoopGroup {
        guard options.style == .asyncOnePool else {
            return MultiThreadedEventLoopGroup(numberOfThreads: options.threads)
        }
        NIOSingletons.groupLoopCountSuggestion = options.threads
        // Spares the hop between NIO's thread and the pool's. It finds Swift's runtime by name.
        guard
            NIOSingletons.unsafeTryInstallSingletonPosixEventLoopGroupAsConcurrencyGlobalExecutor()
        else {
            throw UsageError(text: "--style async-one-pool needs Swift's shared runtime, below 6.4")
        }
        return .singleton
    }

    /// The task that accepts; this thread stays free to wait for the signal.
    private static func startTask(_ bootstrap: sending ServerBootstrap, _ options: Options) {
        Task.detached {
            do {
                let listener = try await AsyncEcho.listen(bootstrap, options)
                announceReady()
                try await AsyncEcho.serve(listener)
            } catch {
                end("\(error)", status: 1)
            }
        }
    }

    private static func announceReady() {
        print("ready")
        fflush(nil)
    }

    private static func end(_ sentence: String, status: Int32) -> Never {
        var line = "nio-echo: \(sentence)\n"
        line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
        exit(status)
    }
}
