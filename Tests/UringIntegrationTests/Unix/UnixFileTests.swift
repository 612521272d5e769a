import CUring
import Glibc
import Testing

@testable import UringEngine

extension Integration {
    @Suite("Files of Unix sockets") struct UnixFileTests {
        private func closeAndWait(_ listening: Listening) throws {
            let closed = Gate()
            try listening.server.run { _ in listening.listener.close { closed.open() } }
            try closed.wait("the listener's end")
        }

        private func refusal(_ server: LoopThread, on address: SocketAddress) throws -> IOError {
            let error = #expect(throws: IOError.self) {
                try server.listen(on: address) { EchoHandler() }
            }
            return try #require(error)
        }

        // MARK: Made

        @Test(arguments: [0, 0o022, 0o077, 0o777] as [mode_t])
        func hasItsPermissionsWhateverTheUmask(mask: mode_t) throws {
            try withDirectory { directory in
                try withLoop { server in
                    for permissions in [0o600, 0o660, 0o666, 0] as [FilePermissions] {
                        let address = try directory.address("\(permissions)")
                        let listening = try withUmask(mask) {
                            try server.listen(on: address) { options in
                                options.unixPermissions = permissions
                            } makeHandler: {
                                EchoHandler()
                            }
                        }
                        #expect(try directory.status(address)?.permissions == permissions)
                        try closeAndWait(listening)
                    }
                }
            }
        }

        @Test(arguments: [0, 0o022, 0o077] as [mode_t])
        func isItsOwnersAloneUnlessAskedOtherwise(mask: mode_t) throws {
            try withDirectory { directory in
                try withLoop { server in
                    let address = try directory.address()
                    let listening = try withUmask(mask) {
                        try server.listen(on: address) { EchoHandler() }
                    }
                    #expect(try directory.status(address)?.permissions == 0o600)
                    try exchange([try listening.connect()], byteCount: 100)
                }
            }
        }

        @Test func hasTheLongestPathThatThereIs() throws {
            try withDirectory { directory in
                let room = 107 - directory.path.utf8.count - 1
                let address = try directory.address(String(repeating: "a", count: room))
                try withLoop { server in
                    let listening = try server.listen(on: address) { EchoHandler() }
                    #expect(listening.address == address)
                    try exchange([try listening.connect()], byteCount: 100)
                }
            }
        }

        @Test func needsItsDirectory() throws {
            try withDirectory { directory in
                try withLoop { server in
                    let error = try refusal(server, on: try directory.address("missing/socket"))
                    #expect(error.operation == .bind)
                    #expect(error.errno == .notFound)
                    #expect(error.description.contains("\(directory.path)/missing/socket"))
                }
            }
        }

        // MARK: What lies there already

        @Test func replacesWhatAKilledServerLeftBehind() throws {
            try withDirectory { directory in
                try withLoop { server in
                    let address = try directory.address()
                    try RawListener(backlog: 1, on: address).close()
                    #expect(try directory.status(address)?.isSocket == true)
                    let listening = try server.listen(on: address) { EchoHandler() }
                    try exchange([try listening.connect()], byteCount: 1_000)
                }
            }
        }

        @Test func refusesTheAddressOfALiveListener() throws {
            try withDirectory { directory in
                try withLoop { server in
                    let address = try directory.address()
                    let listening = try server.listen(on: address) { EchoHandler() }
                    let before = try directory.status(address)
                    let error = try refusal(server, on: address)
                    #expect(error.errno == .addressInUse)
                    #expect(
                        error.description.hasSuffix(
                            "EADDRINUSE (98): \(address): another socket is bound there and in use"
                        )
                    )
                    #expect(try directory.status(address) == before)
                    try exchange([try listening.connect()], byteCount: 1_000)
                    let connections = try server.run { $0.metrics.connections }
                    #expect(connections == 1, "the look did not connect")
                }
            }
        }

        @Test(arguments: [Int32(SOCK_STREAM.rawValue), Int32(SOCK_DGRAM.rawValue)])
        func refusesTheAddressOfASocketThatDoesNotListen(type: Int32) throws {
            try withDirectory(leaving: ["socket"]) { directory in
                try withLoop { server in
                    let address = try directory.address()
                    let other = PeerSocket(
                        adopting: socket(AF_UNIX, type | Int32(SOCK_CLOEXEC.rawValue), 0)
                    )
                    let bound = try other.withAddress(address) { bind(other.descriptor, $0, $1) }
                    #expect(bound == 0)
                    #expect(try refusal(server, on: address).errno == .addressInUse)
                    #expect(try directory.status(address)?.isSocket == true)
                    other.close()
                }
            }
        }

        @Test func leavesAFileAlone() throws {
            try withDirectory(leaving: ["file"]) { directory in
                try withLoop { server in
                    let address = try directory.makeFile("file")
                    let before = try directory.status(address)
                    let error = try refusal(server, on: address)
                    #expect(error.errno == .addressInUse)
                    #expect(error.detail?.contains("is not a socket, and is left alone") == true)
                    #expect(try directory.status(address) == before)
                }
            }
        }

        @Test func leavesALinkAlone() throws {
            try withDirectory(leaving: ["link"]) { directory in
                try withLoop { server in
                    symlink("\(directory.path)/nowhere", "\(directory.path)/link")
                    let error = try refusal(server, on: try directory.address("link"))
                    #expect(error.errno == .addressInUse)
                    #expect(directory.names == ["link"])
                }
            }
        }

        @Test func abstractNameInUseIsAnErrorThatNamesIt() throws {
            try withLoop { server in
                let address = try SocketAddress(abstractName: "uringcore-test-\(getpid())")
                let listening = try server.listen(on: address) { EchoHandler() }
                let error = try refusal(server, on: address)
                #expect(error.errno == .addressInUse)
                #expect(error.description.contains("\(address)"))
                try exchange([try listening.connect()], byteCount: 100)
                try closeAndWait(listening)
                let again = try server.listen(on: address) { EchoHandler() }
                try exchange([try again.connect()], byteCount: 100)
            }
        }

        // MARK: Removed

        @Test func goesWithItsListener() throws {
            try withDirectory { directory in
                try withLoop { server in
                    let address = try directory.address()
                    for _ in 0..<20 {
                        let listening = try server.listen(on: address) { EchoHandler() }
                        let peer = try listening.connect()
                        _ = try listening.accepted()
                        try closeAndWait(listening)
                        #expect(directory.names == [])
                        let refusal = #expect(throws: PeerError.self) { try Peer(to: address) }
                        #expect(refusal?.code == ENOENT)
                        try exchange([peer], byteCount: 100)
                        peer.close()
                    }
                }
            }
        }

        @Test func isLeftWhenAnotherSocketTookItsName() throws {
            try withDirectory(leaving: ["socket"]) { directory in
                try withLoop { server in
                    let address = try directory.address()
                    let listening = try server.listen(on: address) { EchoHandler() }
                    try directory.remove()
                    let other = server.keep(try RawListener(backlog: 5, on: address))
                    let replacement = try directory.status(address)
                    try closeAndWait(listening)
                    #expect(try directory.status(address) == replacement)
                    _ = server.keep(try Peer(to: address))
                    server.keep(try other.accept()).close()
                }
            }
        }

        @Test func isLeftWhenAFileTookItsName() throws {
            try withDirectory(leaving: ["socket"]) { directory in
                try withLoop { server in
                    let listening = try server.listen(on: try directory.address()) { EchoHandler() }
                    try directory.remove()
                    let file = try directory.makeFile("socket")
                    let before = try directory.status(file)
                    try closeAndWait(listening)
                    #expect(try directory.status(file) == before)
                }
            }
        }

        @Test func goesWithItsLoop() throws {
            try withDirectory { directory in
                let server = try LoopThread(.everything) { _ in }
                let address = try directory.address()
                try server.run { loop in
                    _ = try loop.listen(on: address) { EchoHandler() }
                }
                #expect(directory.names == ["socket"])
                #expect(try server.stop() == 0)
            }
        }

        /// As a registry of listeners owns it, which outlives loops.
        @Test func needsNoLoop() throws {
            try withDirectory { directory in
                let control = SystemSockets()
                let address = try directory.address()
                let socket = try ListeningSocket.open(
                    on: address,
                    options: ListenerOptions(),
                    through: control
                )
                #expect(socket.address == address)
                let peer = try Peer(to: address)
                #expect(socket.close(through: control) == nil)
                #expect(directory.names == [])
                peer.close()
            }
        }
    }
}
