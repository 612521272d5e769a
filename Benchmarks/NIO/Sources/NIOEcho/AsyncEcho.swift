import NIOCore
import NIOPosix

/// SwiftNIO under structured concurrency: one child task a connection, as its own examples do it.
enum AsyncEcho {
    private typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    /// Listens, says so by `isListening`, and serves until the group is shut down.
    static func serve(
        _ bootstrap: ServerBootstrap,
        _ options: Options,
        isListening: () -> Void
    ) async throws {
        let listener = try await bootstrap.bind(host: options.host, port: options.port) { channel in
            channel.eventLoop.makeCompletedFuture {
                try Connection(wrappingChannelSynchronously: channel)
            }
        }
        isListening()
        try await withThrowingDiscardingTaskGroup { group in
            try await listener.executeThenClose { connections in
                for try await connection in connections {
                    group.addTask { await echo(on: connection) }
                }
            }
        }
    }

    private static func echo(on connection: Connection) async {
        // How one connection ends, orderly or not, is nobody else's business.
        try? await connection.executeThenClose { inbound, outbound in
            for try await bytes in inbound {
                try await outbound.write(bytes)
            }
        }
    }
}
