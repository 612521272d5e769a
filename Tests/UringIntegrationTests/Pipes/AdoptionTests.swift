import CUring
import Glibc
import Testing

@testable import UringEngine

extension Integration {
    @Suite("Descriptors of others") struct AdoptionTests {
        private func isBlocking(_ descriptor: Int32) -> Bool {
            fcntl(descriptor, F_GETFL) & O_NONBLOCK == 0
        }

        /// Nothing to read for a while: the loop turns all the same.
        @Test(arguments: Rung.all)
        func mayBlockAndStayAsTheyAre(rung: Rung) throws {
            try withLoop(rung) { server in
                let pipe = try RawPipe()
                let handler = CheckingHandler(Pattern(seed: 21), expecting: 100)
                let transport = try server.run { loop in
                    try loop.adoptStream(
                        Descriptor(rawValue: pipe.reader),
                        .shared,
                        handler: handler
                    )
                }
                #expect(isBlocking(pipe.reader))
                for _ in 0..<10 { try server.run { _ in } }
                try pipe.write(Pattern(seed: 21).bytes(count: 100))
                try handler.complete.wait("the bytes")
                try server.run { _ in transport.close() }
                try expectOneCleanLoss(of: handler, on: server)
                #expect(isBlocking(pipe.reader), "and it is open still")
                try pipe.write([1])
                #expect(try readSome(from: pipe.reader) == [1])
            }
        }

        @Test(arguments: Rung.all)
        func areClosedWhenTheyWereGivenAway(rung: Rung) throws {
            try withLoop(rung) { server in
                let pipe = try RawPipe()
                let number = pipe.reader
                let handler = TestHandler()
                let transport = try server.run { loop in
                    try loop.adoptStream(pipe.takeReader(), .taken, handler: handler)
                }
                try server.run { _ in transport.abort() }
                try expectOneCleanLoss(of: handler, on: server)
                #expect(fcntl(number, F_GETFD) < 0)
                var look = pollfd(fd: pipe.writer, events: 0, revents: 0)
                #expect(poll(&look, 1, 0) == 1 && look.revents & Int16(POLLERR) != 0)
            }
        }

        /// A description that cannot be opened anew, as without /proc: a pipe is, so it is asked by hand.
        @Test(arguments: [Rung.everything, .epoll])
        func areMadeBlockingAgainWhereTheyWereBorrowed(rung: Rung) throws {
            try withLoop(rung) { server in
                let pipe = try RawPipe()
                let handler = TestHandler()
                let transport = try server.run { loop in
                    let borrowed = Descriptor(rawValue: dup(pipe.reader))
                    let own = Descriptor(rawValue: dup(pipe.reader))
                    _ = fcntl(pipe.reader, F_SETFL, O_NONBLOCK)
                    let end = StreamEnd(own, isWritable: false, borrowed: borrowed)
                    return loop.adopt(end, options: StreamOptions(), handler: handler)
                }
                #expect(!isBlocking(pipe.reader))
                try server.run { _ in transport.close() }
                try expectOneCleanLoss(of: handler, on: server)
                #expect(isBlocking(pipe.reader))
            }
        }

        @Test(arguments: Rung.all)
        func ofAWrongKindAreRefusedWithWords(rung: Rung) throws {
            try withLoop(rung) { server in
                let file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC)
                let directory = open("/", O_RDONLY | O_CLOEXEC)
                let unconnected = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
                defer { for number in [file, directory, unconnected] { close(number) } }
                for (number, word) in [
                    (file, "a file"), (directory, "a directory"), (unconnected, "a socket"),
                ] {
                    let error = try server.run { loop in
                        #expect(throws: IOError.self) {
                            try loop.adoptStream(
                                Descriptor(rawValue: number),
                                .taken,
                                handler: TestHandler()
                            )
                        }
                    }
                    #expect(error?.reason == .wrongKind)
                    #expect("\(try #require(error))".contains(word))
                    #expect("\(try #require(error))".contains("accepted are pipes"))
                    #expect(fcntl(number, F_GETFD) >= 0, "it is its owner's still")
                }
                for number: Int32 in [-1, 900_000] {
                    let error = try server.run { loop in
                        #expect(throws: IOError.self) {
                            try loop.adoptStream(
                                Descriptor(rawValue: number),
                                .shared,
                                handler: TestHandler()
                            )
                        }
                    }
                    #expect(error?.errno == .badDescriptor)
                }
            }
        }

        @Test(arguments: Rung.all)
        func mayBeTheNullDevice(rung: Rung) throws {
            try withLoop(rung) { server in
                let number = open("/dev/null", O_RDWR | O_CLOEXEC)
                let handler = TestHandler { $0.write([1, 2, 3]) }
                handler.whenEnded = {
                    $0.close()
                    return true
                }
                try server.run { loop in
                    _ = try loop.adoptStream(
                        Descriptor(rawValue: number),
                        .taken,
                        handler: handler
                    )
                }
                try handler.ended.wait("the end, which is at once")
                try expectOneCleanLoss(of: handler, on: server)
            }
        }

        /// A terminal hands over one line a call, and ends with EIO.
        @Test(arguments: Rung.all)
        func mayBeATerminal(rung: Rung) throws {
            try withLoop(rung) { server in
                let terminal = try RawTerminal()
                let lines = Collected()
                let transport = try server.run { loop in
                    try loop.adoptStream(terminal.takeSlave(), .taken, handler: lines)
                }
                let text = Array("one\ntwo\nthree\n".utf8)
                try writeAll(text, to: terminal.master)
                try server.eventually("three lines") { _ in lines.bytes.count == text.count }
                #expect(try server.run { _ in lines.bytes } == text)
                try server.run { _ in transport.write(Array("answer".utf8)) }
                var answer: [UInt8] = []
                while answer.count < 6 { answer += try readSome(from: terminal.master) ?? [] }
                #expect(answer == Array("answer".utf8))
                terminal.closeMaster()
                try lines.ended.wait("the end of the terminal")
                try expectOneCleanLoss(of: lines, on: server)
            }
        }

        /// Slow to be read: the terminal's room is waited for.
        @Test(arguments: Rung.all)
        func mayBeATerminalThatIsFull(rung: Rung) throws {
            try withLoop(rung) { server in
                let terminal = try RawTerminal()
                let handler = TestHandler()
                let bytes = [UInt8](repeating: UInt8(ascii: "x"), count: 300_000)
                try server.run { loop in
                    let transport = try loop.adoptStream(
                        terminal.takeSlave(),
                        .taken,
                        handler: handler
                    )
                    transport.write(bytes)
                }
                var count = 0
                while count < bytes.count {
                    count += try #require(try readSome(from: terminal.master)).count
                }
                #expect(count == bytes.count)
                terminal.closeMaster()
                try handler.lost.wait("the end of the terminal")
            }
        }

        @Test func areRefusedWhereTheLoopHasThemAlready() throws {
            try withLoop { server in
                let pipe = try RawPipe()
                let number = Descriptor(rawValue: pipe.reader)
                try server.run { loop in
                    try loop.addReader(number) {}
                    let error = #expect(throws: IOError.self) {
                        try loop.adoptStream(number, .taken, handler: TestHandler())
                    }
                    #expect(error?.reason == .busy)
                    #expect(loop.removeReader(number))
                }
            }
        }
    }
}

/// Keeps what comes.
final class Collected: TestHandler, @unchecked Sendable {
    private(set) var bytes: [UInt8] = []

    override func take(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) {
        self.bytes += bytes.copyToArray()
    }
}
