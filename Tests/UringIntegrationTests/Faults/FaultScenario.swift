import Testing
import UringTesting

@testable import UringEngine

/// A small story on one loop, told again and again with another part of it going wrong.
///
/// Its body throws when the story cannot go on; only some reasons for that are honest.
struct FaultScenario: Sendable, CustomTestStringConvertible {
    let name: String
    let options: LoopOptions
    let body: @Sendable (FaultStage) throws -> Void

    init(
        _ name: String,
        _ options: LoopOptions = Self.options(),
        _ body: @escaping @Sendable (FaultStage) throws -> Void
    ) {
        self.name = name
        self.options = options
        self.body = body
    }

    /// A small loop.
    static func options(_ change: (inout LoopOptions) -> Void = { _ in }) -> LoopOptions {
        var options = LoopOptions()
        options.ringEntries = 64
        options.completionEntries = 128
        options.bufferBytes = 1_024
        options.bufferCount = 16
        change(&options)
        return options
    }

    var testDescription: String { name }

    static let all =
        streams + closing + connecting + unix + datagrams + files + loops + pipes
}

/// What a scenario plays on: a loop with a plan of faults, and its own directory.
final class FaultStage: @unchecked Sendable {
    let server: LoopThread
    let directory: ScratchDirectory
    /// Every handler that was made, read when the loop is at rest.
    let handlers = LockedList<TestHandler>()
    /// How many connections the loop was asked for.
    private(set) var connectCount = 0

    init(_ server: LoopThread, _ directory: ScratchDirectory) {
        self.server = server
        self.directory = directory
    }

    /// As `LoopThread.listen`, with the handlers kept.
    func listen(
        on address: SocketAddress = .ipv4(0x7F00_0001, port: 0),
        _ configure: (inout ListenerOptions) -> Void = { _ in },
        makeHandler: @escaping () throws -> TestHandler
    ) throws -> Listening {
        try server.listen(on: address, configure) { [handlers] in
            let handler = try makeHandler()
            handlers.append(handler)
            return handler
        }
    }

    /// Connects from the loop, and gives the transport.
    func connect(
        to addresses: [SocketAddress],
        _ handler: TestHandler,
        timeout: Duration = .seconds(30)
    ) throws -> StreamTransport {
        handlers.append(handler)
        connectCount += 1
        return try server.connect(to: addresses, handler, timeout: timeout).get()
    }

    /// Receives all of a stream that its server ends well, or throws.
    ///
    /// An end that claims to be complete before it is, is a lie: unless nobody served at all.
    func expectWhole(_ peer: Peer, _ pattern: Pattern, _ count: Int) throws {
        do {
            try peer.expect(pattern, 0..<count)
        } catch let error as EarlyEnd where !handlers.all.isEmpty {
            throw FalseEnd(got: error.got, wanted: count)
        }
        guard try peer.ending() == .eof else { throw EarlyEnd(wanted: count, got: count) }
    }

    /// A few bytes there and back.
    func echo(_ peer: Peer, _ range: Range<Int> = 0..<500, seed: Int = 0) throws {
        try peer.send(Pattern(seed: seed), range)
        try peer.expect(Pattern(seed: seed), range)
    }

    /// Ends a peer's side, and waits for the other end.
    func end(_ peers: [Peer]) throws {
        for peer in peers { peer.endOutput() }
        for peer in peers { _ = try peer.ending() }
    }
}

/// The end of a stream that claims to be complete and is not.
struct FalseEnd: Error {
    let got: Int
    let wanted: Int
}

/// Acts on each piece that it receives; the bytes are dropped.
final class ActingHandler: TestHandler, @unchecked Sendable {
    private let act: (StreamTransport) throws -> Void

    init(_ act: @escaping (StreamTransport) throws -> Void) {
        self.act = act
        super.init()
    }

    override func take(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) throws {
        _ = consume bytes
        try act(transport)
    }
}
