import CUring
import Glibc
import Testing

@testable import UringEngine

extension Integration {
    @Suite("Connecting Unix sockets") struct UnixConnectTests {
        private func failure(
            of address: SocketAddress,
            on server: LoopThread,
            timeout: Duration = .seconds(30)
        ) throws -> IOError {
            let handler = TestHandler { _ in Issue.record("a failed connect makes no connection") }
            let result = try server.connect(to: [address], handler, timeout: timeout)
            let error = #expect(throws: IOError.self) { _ = try result.get() }
            #expect(error?.description.contains("\(address)") == true, "it names the address")
            return try #require(error)
        }

        /// A listener whose queue takes nobody any more.
        private func fullListener(
            _ server: LoopThread,
            at address: SocketAddress
        ) throws -> RawListener {
            let full = server.keep(try RawListener(backlog: 0, on: address))
            var isFull = false
            while !isFull {
                let peer = server.keep(try Peer(towards: address))
                isFull = try !peer.beginConnect(to: address)
            }
            return full
        }

        @Test(arguments: Rung.all)
        func connectsAndExchanges(rung: Rung) throws {
            try withDirectory { directory in
                try withLoop(rung) { server in
                    let listening = try server.listen(on: try directory.address()) { EchoHandler() }
                    let pattern = Pattern(seed: 1)
                    let total = bulk(1_000_000)
                    let handler = CheckingHandler(pattern, expecting: total) { transport in
                        transport.write(pattern.bytes(count: total))
                    }
                    let transport = try server.connect(to: [listening.address], handler).get()
                    try handler.complete.wait("everything echoed")
                    try server.run { _ in transport.close() }
                    try expectOneCleanLoss(of: handler, on: server)
                    #expect(try server.run { _ in handler.firstWrongByte } == nil)
                }
            }
        }

        @Test(arguments: Rung.all)
        func manyConnectsAtOnceAllSucceedThroughAShortQueue(rung: Rung) throws {
            DescriptorLimit.raise()
            try withDirectory { directory in
                try withLoop(rung) { server in
                    let listening = try server.listen(on: try directory.address()) { options in
                        options.backlog = 4
                    } makeHandler: {
                        EchoHandler()
                    }
                    let pattern = Pattern(seed: 2)
                    let handlers = (0..<300).map { _ in
                        CheckingHandler(pattern, expecting: 500) {
                            $0.write(pattern.bytes(count: 500))
                        }
                    }
                    let results = try handlers.map { handler in
                        try server.beginConnect(to: [listening.address], handler)
                    }
                    for result in results { _ = try result.take("a connect").get() }
                    for handler in handlers { try handler.complete.wait("everything echoed") }
                    try server.run { _ in
                        for handler in handlers { handler.transport?.close() }
                    }
                    for handler in handlers { try handler.lost.wait("connectionLost") }
                }
            }
        }

        @Test func saysWhyItCannotConnect() throws {
            try withDirectory(leaving: ["datagrams", "file", "stale"]) { directory in
                try withLoop { server in
                    let missing = try failure(of: try directory.address("missing"), on: server)
                    #expect(missing.errno == .notFound)
                    let stale = try directory.address("stale")
                    try RawListener(backlog: 1, on: stale).close()
                    #expect(try failure(of: stale, on: server).errno == .connectionRefused)
                    let file = try directory.makeFile("file")
                    #expect(try failure(of: file, on: server).errno == .connectionRefused)
                    let datagrams = try directory.address("datagrams")
                    let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
                    let other = PeerSocket(adopting: socket(AF_UNIX, type, 0))
                    #expect(
                        try other.withAddress(datagrams) { bind(other.descriptor, $0, $1) } == 0
                    )
                    #expect(try failure(of: datagrams, on: server).errno == .wrongProtocolType)
                    other.close()
                    let nobody = SocketAddress.unix([0] + Array("uringcore-test-nobody".utf8))
                    #expect(try failure(of: nobody, on: server).errno == .connectionRefused)
                }
            }
        }

        @Test func saysThatItMayNotConnect() throws {
            try withDirectory { directory in
                try withLoop { server in
                    // Below the directory, which nobody else may search.
                    chmod(directory.path, 0o755)
                    let address = try directory.address()
                    _ = try server.listen(on: address) { options in
                        options.unixPermissions = 0
                    } makeHandler: {
                        EchoHandler()
                    }
                    // Root may connect to anything, so the loop's thread is somebody else meanwhile.
                    let me = try server.run { _ in FileSystemUser.become(65_534) }
                    let result = Result { try failure(of: address, on: server) }
                    try server.run { _ in _ = FileSystemUser.become(me) }
                    #expect(try result.get().errno == .permissionDenied)
                }
            }
        }

        @Test(arguments: Rung.all)
        func waitsForRoomInAFullQueue(rung: Rung) throws {
            try withDirectory(leaving: ["socket"]) { directory in
                try withLoop(rung) { server in
                    let address = try directory.address()
                    let full = try fullListener(server, at: address)
                    let pattern = Pattern(seed: 3)
                    let handler = CheckingHandler(pattern, expecting: 1_000)
                    let result = try server.beginConnect(to: [address], handler)
                    try server.eventually("it was refused and waits") { $0.timers.count == 2 }
                    server.keep(try full.accept()).close()
                    let transport = try result.take("the connect").get()
                    let peer = server.keep(try full.accept())
                    try peer.send(pattern, 0..<1_000)
                    try handler.complete.wait("what the listener sent")
                    try server.run { _ in transport.close() }
                    #expect(try peer.ending() == .eof)
                    try expectOneCleanLoss(of: handler, on: server)
                }
            }
        }

        @Test func givesUpAFullQueueAtItsTimeout() throws {
            try withDirectory(leaving: ["socket"]) { directory in
                try withLoop { server in
                    let address = try directory.address()
                    _ = try fullListener(server, at: address)
                    let error = try failure(of: address, on: server, timeout: .milliseconds(50))
                    #expect(error.reason == .deadlineExceeded)
                    #expect(error.detail == "\(address): its queue is full")
                }
            }
        }

        @Test(arguments: Rung.all)
        func shutDownEndsAConnectThatWaits(rung: Rung) throws {
            try withDirectory(leaving: ["socket"]) { directory in
                try withLoop(rung) { server in
                    let address = try directory.address()
                    _ = try fullListener(server, at: address)
                    let second = try LoopThread(rung) { _ in }
                    let result = try second.beginConnect(to: [address], TestHandler())
                    try second.run { _ in }
                    #expect(try second.stop() == 0)
                    let error = #expect(throws: IOError.self) {
                        _ = try result.take("the connect's end").get()
                    }
                    #expect(error?.reason == .cancelled)
                }
            }
        }
    }
}

/// As whom the calling thread reaches files (setfsuid(2)): a thread's own, unlike its user.
enum FileSystemUser {
    /// Becomes somebody else.
    ///
    /// - Returns: who it was.
    static func become(_ user: uid_t) -> uid_t {
        guard let symbol = dlsym(nil, "setfsuid") else { return user }
        typealias Call = @convention(c) (uid_t) -> Int32
        return uid_t(bitPattern: unsafeBitCast(symbol, to: Call.self)(user))
    }
}
