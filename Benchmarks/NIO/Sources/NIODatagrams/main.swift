// A datagram server on SwiftNIO's DatagramBootstrap, on one thread, that reads up to 32 datagrams a call: it
// answers each whose first byte is not zero with the same bytes, and drops the others.

import Glibc
import NIOCore
import NIOPosix

final class Answering: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        guard envelope.data.getInteger(at: envelope.data.readerIndex, as: UInt8.self) ?? 0 != 0
        else { return }
        context.write(wrapOutboundOut(envelope), promise: nil)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.flush()
    }
}

var host = "127.0.0.1"
var port = 0
var words = CommandLine.arguments.dropFirst()
while let word = words.popFirst() {
    switch word {
    case "--host": host = words.popFirst() ?? host
    case "--port": port = words.popFirst().flatMap { Int($0) } ?? 0
    default: fatalError("--host A --port N, got \(word)")
    }
}

// Blocked in this thread and in those that it starts, so that it can be waited for below.
var signals = sigset_t()
sigemptyset(&signals)
sigaddset(&signals, SIGTERM)
pthread_sigmask(SIG_BLOCK, &signals, nil)

let messagesMax = 32
let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
let channel = try DatagramBootstrap(group: group)
    .channelOption(.socketOption(.so_rcvbuf), value: 4 << 20)
    .channelOption(.datagramVectorReadMessageCount, value: messagesMax)
    .channelOption(
        .recvAllocator,
        value: FixedSizeRecvByteBufferAllocator(capacity: messagesMax * 2_048)
    )
    .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(Answering())
        }
    }
    .bind(host: host, port: port)
    .wait()

print("ready")
fflush(nil)
var signal: Int32 = 0
sigwait(&signals, &signal)
try channel.close().wait()
try group.syncShutdownGracefully()
