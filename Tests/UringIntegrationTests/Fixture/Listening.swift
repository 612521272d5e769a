import Testing

@testable import UringEngine

/// A listener on a loop, with the handlers that it gave out, in the order of their connections.
final class Listening: @unchecked Sendable {
    let server: LoopThread
    let listener: StreamListener
    var address: SocketAddress { listener.address }
    private let handlers: HandlerList

    init(server: LoopThread, listener: StreamListener, handlers: HandlerList) {
        self.server = server
        self.listener = listener
        self.handlers = handlers
    }

    /// Connects a peer; the fixture closes it in the end.
    func connect(_ buffers: Peer.Buffers = Peer.Buffers()) throws -> Peer {
        server.keep(try Peer(to: address, buffers))
    }

    /// Waits for the next connection and gives its handler.
    func accepted() throws -> TestHandler {
        try handlers.next()
    }

    /// As `accepted`, for a kind of handler.
    func accepted<Handler: TestHandler>(_ kind: Handler.Type) throws -> Handler {
        try #require(try handlers.next() as? Handler)
    }
}

/// Handlers on their way from the loop's thread to the test's.
final class HandlerList: Sendable {
    private let handlers = LockedList<TestHandler>()
    private let gate = Gate()

    func add(_ handler: TestHandler) {
        handlers.append(handler)
        gate.open()
    }

    func next() throws -> TestHandler {
        try gate.wait("a connection that is accepted")
        return handlers.takeFirst()
    }
}
