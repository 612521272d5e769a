import CUring
import Glibc
import Testing

@testable import UringEngine

extension Integration {
    /// Children that fork(2) makes without a new program: they have this process's descriptors, and
    /// neither its rings nor its pools.
    @Suite("Forked children") struct ForkTests {
        #if DEBUG
        @Test(arguments: ["uring", "epoll"])
        func areToldWhatTheyDoWrong(backend: String) async throws {
            let result = await #expect(
                processExitsWith: .exitCode(42),
                observing: [\.standardErrorContent]
            ) { [backend] in
                var options = LoopOptions()
                options.backend = backend == "epoll" ? .epoll : .uring
                options.memoryLock = .off
                let loop = try EventLoop(options)
                let child = fork()
                if child == 0 {
                    try loop.runOnce()
                    _exit(0)
                }
                var status: Int32 = 0
                waitpid(child, &status, 0)
                try loop.runOnce()
                // The child was ended by a trap.
                exit(status & 0x7F != 0 ? 42 : 1)
            }
            let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
            #expect(text.contains("a forked child makes its own"))
        }
        #endif

        /// The child lives on with copies of all descriptors; the parent's connections end all the same.
        @Test(arguments: Rung.all) func leaveTheirParentAlone(rung: Rung) throws {
            try withLoop(rung) { server in
                let listening = try server.listen { EchoHandler() }
                let peer = try listening.connect()
                let handler = try listening.accepted(EchoHandler.self)
                try peer.send(Pattern(), 0..<1_000)
                try peer.expect(Pattern(), 0..<1_000)
                let pipe = try RawPipe()
                let (reader, writer) = (pipe.reader, pipe.writer)
                let child = fork()
                if child == 0 {
                    // Only what a signal handler may do.
                    close(writer)
                    var byte: UInt8 = 0
                    _ = read(reader, &byte, 1)
                    _exit(7)
                }
                try peer.send(Pattern(), 1_000..<50_000)
                try peer.expect(Pattern(), 1_000..<50_000)
                try server.run { _ in handler.transport?.close() }
                #expect(try peer.ending() == .eof)
                pipe.closeWriter()
                var status: Int32 = 0
                #expect(waitpid(child, &status, 0) == child)
                #expect(status == 7 << 8)
                let next = try listening.connect()
                try next.send(Pattern(), 0..<1_000)
                try next.expect(Pattern(), 0..<1_000)
            }
        }

        @Test(arguments: Rung.all) func wouldLoseEveryDescriptorWithANewProgram(rung: Rung) throws {
            let before = Set(openNumbers())
            try withLoop(rung) { server in
                let listening = try server.listen { EchoHandler() }
                let peer = try listening.connect()
                let handler = try listening.accepted()
                let made = try server.connect(to: [listening.address], TestHandler()).get()
                let pipe = try RawPipe()
                let ends = try server.run { loop in
                    try loop.addSignalHandler(SIGUSR2) {}
                    _ = try loop.completionDescriptor
                    let shared = try loop.adoptStream(
                        Descriptor(rawValue: pipe.reader),
                        .shared,
                        handler: TestHandler()
                    )
                    let pipes = try loop.openPipe(reader: TestHandler(), writer: TestHandler())
                    var command = ProcessCommand("cat")
                    command.standardInput = .pipe
                    command.standardOutput = .pipe
                    let child = try loop.spawn(command)
                    return (shared, pipes, child)
                }
                let own = openNumbers().filter { !before.contains($0) }
                #expect(own.count > 10)
                for number in own {
                    #expect(fcntl(number, F_GETFD) & FD_CLOEXEC != 0, "descriptor \(number)")
                }
                try server.run { loop in
                    loop.removeSignalHandlers(SIGUSR2)
                    for stream in [ends.0, ends.1.reader, ends.1.writer, made] { stream.abort() }
                    ends.2.kill()
                    ends.2.standardInput?.abort()
                    handler.transport?.abort()
                }
                peer.close()
            }
        }

        private func openNumbers() -> [Int32] {
            (0..<1_024).filter { fcntl($0, F_GETFD) >= 0 }
        }
    }
}
