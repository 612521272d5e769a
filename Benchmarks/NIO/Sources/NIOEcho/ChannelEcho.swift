import NIOCore
import NIOPosix

/// SwiftNIO as it is written for speed: handlers on the loop, no promise, no copy.
enum ChannelEcho {
    /// Listens; returns once connections are served.
    static func start(_ bootstrap: ServerBootstrap, _ options: Options) throws {
        _ =
            try bootstrap
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandlers(BackPressureHandler(), EchoHandler())
                }
            }
            .bind(host: options.host, port: options.port)
            .wait()
    }
}

/// Sends back what comes, without unwrapping it.
private final class EchoHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.writeAndFlush(data, promise: nil)
    }

    /// A peer that went away ends its own connection.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
