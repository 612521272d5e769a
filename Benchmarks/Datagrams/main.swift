// A datagram server on one shard: it answers each datagram whose first byte is not zero with the same
// bytes, and drops the others. So one program serves echo and one-way traffic.

import Glibc
import Logging
import UringCore

/// The callback face.
final class AnsweringHandler: DatagramHandler {
    func datagramReceived(_ datagram: consuming Datagram, on transport: DatagramTransport) throws {
        guard datagram.wantsAnswer else { return }
        let sender = datagram.sender
        try transport.send(datagram.takeBytes(), to: sender)
    }
}

extension Datagram {
    var wantsAnswer: Bool {
        withBytes { $0.byteCount > 0 && $0.unsafeLoad(as: UInt8.self) != 0 }
    }
}

/// The async face.
@Sendable func answer(_ endpoint: DatagramEndpoint) async throws {
    while let datagram = try await endpoint.receive() {
        guard datagram.wantsAnswer else { continue }
        let sender = datagram.sender
        try await endpoint.send(datagram.takeBytes(), to: sender)
    }
}

var host = "127.0.0.1"
var port: UInt16 = 0
var style = "callback"
var words = CommandLine.arguments.dropFirst()
while let word = words.popFirst() {
    switch word {
    case "--host": host = words.popFirst() ?? host
    case "--port": port = words.popFirst().flatMap { UInt16($0) } ?? 0
    case "--style": style = words.popFirst() ?? style
    default: fatalError("--host A --port N --style callback|async, got \(word)")
    }
}

let address = try SocketAddress(host: host, port: port)
let isAsync = style == "async"
var options = DatagramOptions()
options.receiveBufferBytes = 4 << 20
let chosen = options
let logger = Logger(label: "datagrams") { StreamLogHandler.standardError(label: $0) }
try await Supervisor(configuration: .fromEnvironment(), logger: logger).run { shard in
    if isAsync {
        let endpoint = try shard.bindDatagram(to: address, options: chosen)
        print("ready")
        fflush(nil)
        try await answer(endpoint)
    } else {
        try shard.bindDatagram(to: address, options: chosen, handler: AnsweringHandler())
        print("ready")
        fflush(nil)
        try await shard.untilDrain()
    }
}
