import NIOCore
import NIOPosix

/// SwiftNIO under structured concurrency: one child task a connection, as its own examples do it.
enum AsyncEcho {
    typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>
    typealias Listener = NIOAsyncChannel<Connection, Never>

    static func listen(_ bootstrap: ServerBootstrap, _ options: Options) async throws -> Listener {
        try await bootstrap.bind(host: options.host, port: options.port) { channel in
            channel.eventLoop.makeCompletedFuture {
                try Connection(wrappingChannelSynchronously: channel)
            }
        }
    }

    /// Serves until the process ends.
    static func serve(_ listener: Listener) async throws {
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
