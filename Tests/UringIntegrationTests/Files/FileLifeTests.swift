import Glibc
import Testing

@testable import UringEngine

extension Integration {
    /// Turns, cancels and ends, by a pipe with a name that keeps reads waiting as long as a test wants.
    @Suite struct FileLifeTests {
        static let rings = Rung.all.filter {
            $0.backend == .uring && !$0.featuresOff.contains(.fileOperations)
        }

        private func pipe(_ files: FileRun) throws -> OpenFile {
            guard mkfifo(files.path("pipe").description, 0o600) == 0 else {
                throw PeerError("mkfifo")
            }
            return try files.open(
                files.path("pipe"),
                FileOptions(access: .readWrite, creation: .never)
            )
        }

        /// More reads than may be in flight: all are answered, and none before its turn.
        @Test(arguments: Rung.all) func moreThanTheLimitWaitTheirTurn(rung: Rung) throws {
            let threads = BlockingThreads(count: 6)
            try withFiles(rung, threads: threads, FileRun.limit(4)) { files in
                let pipe = try pipe(files)
                let reads = try (0..<50).map { _ in try files.laterRead(pipe, at: 0, 1) }
                let inFlight = try files.server.run { $0.metrics.operationsInFlight }
                #expect(inFlight <= 4)
                for byte in UInt8(0)..<50 { try files.write(writer(files), [byte], at: 0) }
                var bytes: [UInt8] = []
                for read in reads { bytes += try read.take("a read").get() ?? [] }
                #expect(bytes.sorted() == Array(0..<50))
                try files.close(pipe)
                try files.close(writer(files))
            }
        }

        private func writer(_ files: FileRun) throws -> OpenFile {
            if let writer = files.kept { return writer }
            let writer = try files.open(
                files.path("pipe"),
                FileOptions(access: .write, creation: .never)
            )
            files.kept = writer
            return writer
        }

        /// Nothing that was asked before is lost by a close.
        @Test(arguments: Rung.all) func aCloseWaitsForWhatWasAskedBefore(rung: Rung) throws {
            try withFiles(rung, FileRun.limit(2)) { files in
                let file = try files.make()
                let content = Pattern().bytes(at: 0, count: 20_000)
                let drops = try (0..<20).map { index in
                    let part = Array(content[(index * 1_000)...].prefix(1_000))
                    return try files.laterWrite(file, part, at: UInt64(index * 1_000))
                }
                try files.close(file)
                for drop in drops { try drop.take("a write").get() }
                let reader = try files.open(files.path())
                #expect(try files.read(reader, at: 0, 30_000) == content)
                try files.close(reader)
            }
        }

        /// The number of a file that was closed is free before its owner hears of it.
        @Test(arguments: Rung.all) func whoeverGetsItsNumberIsHeard(rung: Rung) throws {
            try withFiles(rung) { files in
                let file = try files.make()
                let (closed, heard) = (Drop<Result<Void, IOError>>(), Drop<Bool>())
                let ends = try files.server.run { loop in
                    file.close { closed.put($0) }
                    var ends: [Int32] = [-1, -1]
                    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
                        throw PeerError("socketpair")
                    }
                    let reader = Descriptor(rawValue: ends[0])
                    try loop.addReader(reader) {
                        loop.removeReader(reader)
                        heard.put(true)
                    }
                    return ends
                }
                try closed.take("a close").get()
                #expect(write(ends[1], "x", 1) == 1)
                #expect(try heard.take("readiness"))
                for end in ends { close(end) }
            }
        }

        @Test(arguments: rings) func aCancelledReadEnds(rung: Rung) throws {
            try withFiles(rung, FileRun.limit(1)) { files in
                let pipe = try pipe(files)
                var calls: [FileCall] = []
                let drops = try (0..<3).map { _ in
                    let drop = Drop<Result<Void, IOError>>()
                    calls.append(
                        try files.server.run { _ in
                            try pipe.read(at: 0, byteCount: 1) { result in
                                switch consume result {
                                case .success: drop.put(.success(()))
                                case .failure(let error): drop.put(.failure(error))
                                }
                            }
                        }
                    )
                    return drop
                }
                // One that waits its turn, then one in flight.
                for index in [1, 0] {
                    try files.server.run { [call = calls[index]] _ in call.cancel() }
                    let error = try files.failure { try drops[index].take("a read").get() }
                    #expect(error.reason == .cancelled)
                }
                let writer = try writer(files)
                try files.write(writer, [1], at: 0)
                try drops[2].take("a read").get()
                for file in [pipe, writer] { try files.close(file) }
            }
        }

        /// Whether the cancel or the open wins: no descriptor is left.
        @Test(arguments: Rung.all) func cancelledOpensLeaveNoDescriptor(rung: Rung) throws {
            try withFiles(rung) { files in
                try files.close(files.make("file"))
                let opened = Counter()
                let ended = Gate()
                let rounds = 200
                for round in 0..<rounds {
                    try files.server.run { loop in
                        let call = try loop.openFile(files.path("file")) { result in
                            if case .success(let file) = result {
                                opened.add()
                                file.close()
                            }
                            ended.open()
                        }
                        switch round % 3 {
                        case 0: call.cancel()
                        case 1: loop.callSoon { call.cancel() }
                        default: loop.callLater(.microseconds(50)) { call.cancel() }
                        }
                    }
                }
                for _ in 0..<rounds { try ended.wait("an open") }
            }
        }

        /// Reads that nobody answers do not keep a loop from its end.
        @Test(arguments: rings) func theEndOfALoopEndsItsReads(rung: Rung) throws {
            let directory = try ScratchDirectory()
            defer { directory.clear() }
            let before = openDescriptorCount()
            try endWithReads(rung, directory)
            #expect(openDescriptorCount() == before)
        }

        private func endWithReads(_ rung: Rung, _ directory: ScratchDirectory) throws {
            let server = try LoopThread(rung) { $0.limits.operationsPerFileMax = 2 }
            let files = FileRun(server, directory, BlockingThreads(count: 0))
            let pipe = try pipe(files)
            let reads = try (0..<5).map { _ in try files.laterRead(pipe, at: 0, 1) }
            #expect(try server.stop() == 0)
            for read in reads {
                let error = try files.failure { _ = try read.take("a read").get() }
                #expect(error.reason == .cancelled)
            }
            #expect(server.loop.metrics.buffersLent == 0)
        }

        /// A thread that still reads when the loop's patience is over keeps its memory.
        @Test func aCallThatDoesNotEndKeepsItsMemory() throws {
            let directory = try ScratchDirectory()
            defer { directory.clear() }
            let threads = BlockingThreads(count: 1)
            let before = openDescriptorCount()
            var loop: EventLoop? = try EventLoop(.epollWithFiles(threads))
            guard mkfifo("\(directory.path)/pipe", 0o600) == 0 else { throw PeerError("mkfifo") }
            var pipe: OpenFile?
            let options = FileOptions(access: .readWrite, creation: .never)
            try loop?.openFile(Path("\(directory.path)/pipe"), options: options) {
                pipe = try? $0.get()
            }
            while pipe == nil { try loop?.runOnce(mayWait: true) }
            var outcome: IOError?
            try pipe?.read(at: 0, byteCount: 10) { result in
                if case .failure(let error) = consume result { outcome = error }
            }
            #expect(loop?.shutDown(grace: .milliseconds(50)) == 1)
            #expect(outcome?.reason == .closed)
            #expect(loop?.metrics.buffersLent == 1, "the thread may still write to it")
            let descriptor = Glibc.open("\(directory.path)/pipe", O_WRONLY | O_NONBLOCK)
            #expect(write(descriptor, "x", 1) == 1)
            close(descriptor)
            try threads.end()
            (loop, pipe) = (nil, nil)
            // The pipe's descriptor stays, as the thread might still have used it.
            #expect(openDescriptorCount() <= before + 2)
        }
    }
}

extension LoopOptions {
    fileprivate static func epollWithFiles(_ threads: BlockingThreads) -> LoopOptions {
        var options = LoopOptions()
        options.backend = .epoll
        options.memoryLock = .off
        options.offload = { threads.take($0) }
        return options
    }
}
