import Glibc
import Testing

@testable import UringEngine

extension Integration {
    /// What cannot be: one clear error each, and nothing lost.
    @Suite struct FileErrorTests {
        /// A path that cannot be is refused at once, by every verb.
        @Test(arguments: [
            ("a\0b", "NUL"), ("", "empty"), (String(repeating: "x", count: 4_096), "ENAMETOOLONG"),
        ])
        func refusesAPathThatCannotBe(path: String, word: String) throws {
            try withFiles { files in
                let path = Path(path)
                let verbs: [(EventLoop) throws -> Void] = [
                    { try $0.openFile(path) { _ in } },
                    { try $0.renameFile(path, to: "fine") { _ in } },
                    { try $0.renameFile("fine", to: path) { _ in } },
                    { try $0.removeFile(path) { _ in } },
                    { try $0.makeDirectory(path) { _ in } },
                    { try $0.fileAttributes(path) { _ in } },
                    { try $0.listDirectory(path) { _ in } },
                ]
                for verb in verbs {
                    let error = try files.failure { try files.server.run(verb) }
                    #expect(error.description.contains(word), "\(error)")
                }
            }
        }

        /// A name of 256 bytes is the kernel's to refuse.
        @Test(arguments: Rung.all) func namesThePathThatTheKernelRefuses(rung: Rung) throws {
            try withFiles(rung) { files in
                let long = files.path(String(repeating: "x", count: 256))
                try files.close(files.make("file"))
                for (path, errno) in [
                    (long, Errno.nameTooLong), (files.path("none"), .notFound),
                    (files.path("none/file"), .notFound), (files.path("file/below"), .notDirectory),
                ] {
                    let error = try files.failure { _ = try files.open(path) }
                    #expect(error.errno == errno)
                    #expect(error.operation == .openFile)
                    #expect(error.detail == path.description)
                }
                let directory = try files.failure {
                    _ = try files.open(Path(files.directory.path), .writing)
                }
                #expect(directory.errno == .isDirectory)
            }
        }

        @Test(arguments: Rung.all) func tellsThatADescriptorIsOfTheWrongKind(rung: Rung) throws {
            try withFiles(rung) { files in
                let directory = try files.open(Path(files.directory.path))
                let read = try files.failure { _ = try files.read(directory, at: 0, 10) }
                #expect(read.errno == .isDirectory)
                #expect(read.description.contains(files.directory.path))
                let writer = try files.open(files.path(), .writing)
                let unreadable = try files.failure { _ = try files.read(writer, at: 0, 10) }
                #expect(unreadable.errno == .badDescriptor)
                let reader = try files.open(files.path())
                let unwritable = try files.failure { try files.write(reader, [1], at: 0) }
                #expect(unwritable.errno == .badDescriptor)
                for file in [directory, writer, reader] { try files.close(file) }
            }
        }

        /// A FIFO that nobody writes to would hold a thread up for ever.
        @Test(arguments: Rung.all) func waitsForNoOtherEndOfAFIFO(rung: Rung) throws {
            try withFiles(rung) { files in
                let path = files.path("pipe")
                guard mkfifo(path.description, 0o600) == 0 else { throw PeerError("mkfifo") }
                let writing = FileOptions(access: .write, creation: .never)
                let unread = try files.failure { _ = try files.open(path, writing) }
                #expect(unread.errno?.rawValue == ENXIO)
                let reader = try files.open(path)
                try files.close(files.open(path, writing))
                try files.close(reader)
            }
        }

        @Test(arguments: Rung.all) func tellsThatADeviceIsFull(rung: Rung) throws {
            try withFiles(rung) { files in
                let full = try files.open(
                    "/dev/full",
                    FileOptions(access: .write, creation: .never)
                )
                let error = try files.failure { try files.write(full, [1, 2, 3], at: 0) }
                #expect(error.errno == .noSpace)
                #expect(
                    error.description
                        == "write file failed: ENOSPC (28): /dev/full, 0 of 3 bytes written at 0"
                )
                try files.close(full)
            }
        }

        /// A write that begins below the limit is cut there; the rest is the error.
        @Test(arguments: Rung.all) func tellsThatAFileIsTooLarge(rung: Rung) throws {
            try withFileLimit(10_000) {
                try withFiles(rung) { files in
                    let file = try files.make()
                    let error = try files.failure {
                        try files.write(file, [UInt8](repeating: 7, count: 5_000), at: 8_000)
                    }
                    #expect(error.errno == .fileTooLarge)
                    #expect(error.description.contains("2000 of 5000 bytes written at 8000"))
                    #expect(try files.attributes(file).byteCount == 10_000)
                    try files.close(file)
                }
            }
        }

        @Test func refusesSizesThatCannotBe() throws {
            try withFiles { files in
                let file = try files.make("file", [1])
                let appended = try files.open(files.path("end"), .appending)
                let owned = { (count: Int) in
                    OwnedBytes(copying: [UInt8](repeating: 0, count: count).span.bytes)
                }
                let verbs: [(EventLoop) throws -> Void] = [
                    { _ in try file.read(at: 0, byteCount: 0) { _ in } },
                    { _ in try file.read(at: 0, byteCount: -1) { _ in } },
                    { _ in try file.read(at: 0, byteCount: .max) { _ in } },
                    { _ in try file.read(at: .max, byteCount: 1) { _ in } },
                    { _ in try file.read(at: UInt64(Int64.max), byteCount: 1) { _ in } },
                    { _ in try file.write(owned(0), at: 0) { _ in } },
                    { _ in try file.write(owned(1), at: .max) { _ in } },
                    { _ in try file.append(owned(1)) { _ in } },
                    { _ in try appended.write(owned(1), at: 0) { _ in } },
                    { _ in try file.allocate(5..<5) { _ in } },
                    { _ in try file.allocate(5..<(.max)) { _ in } },
                    { _ in try file.truncate(to: .max) { _ in } },
                    {
                        try $0.openFile("x", options: .init(access: .read, creation: .orEmpty)) {
                            _ in
                        }
                    },
                    { try $0.makeDirectory("x", permissions: 0o1777) { _ in } },
                ]
                for (number, verb) in verbs.enumerated() {
                    let error = try files.failure { try files.server.run(verb) }
                    #expect(error.reason == .invalidArgument, "verb \(number): \(error)")
                }
                try files.close(file)
                try files.close(appended)
            }
        }

        @Test(arguments: Rung.all) func aClosedFileIsNotUsed(rung: Rung) throws {
            try withFiles(rung) { files in
                let file = try files.make("file", [1])
                try files.close(file)
                let read = try files.failure { _ = try files.read(file, at: 0, 1) }
                #expect(read.reason == .closed)
                let write = try files.failure { try files.write(file, [1], at: 0) }
                #expect(write.reason == .closed)
                try files.close(file)
            }
        }

        /// What neither the kernel nor anybody else does fails, and says what is missing.
        @Test(arguments: [Rung.everything, .epoll, Rung.nothing])
        func saysThatThereIsNobodyToAsk(rung: Rung) throws {
            try withFiles(rung, FileRun.alone) { files in
                let error = try files.failure {
                    let _: [DirectoryEntry] = try files.answer("a listing") { loop, done in
                        try loop.listDirectory("/", completion: done)
                    }
                }
                #expect(error.errno == .notSupported)
                #expect(error.description.contains("the loop has no `offload`"))
                guard rung.name != "everything" else { return }
                let opened = try files.failure { _ = try files.open("/dev/null") }
                #expect(opened.errno == .notSupported)
            }
        }

        /// A pool that is full is asked again.
        @Test func waitsForAThreadThatIsBusy() throws {
            let threads = BlockingThreads(count: 1, waitingMax: 1)
            try withFiles(.epoll, threads: threads) { files in
                let file = try files.make("file", Pattern().bytes(at: 0, count: 40_000))
                let ended = Gate()
                let right = Counter()
                // The one thread is busy until the pool was found full.
                let mayGoOn = Gate()
                #expect(threads.take { try? mayGoOn.wait("a full pool") })
                try files.server.run { _ in
                    for index in 0..<20 {
                        try file.read(at: UInt64(index) * 2_000, byteCount: 2_000) { result in
                            if case .success(.some(let bytes)) = consume result {
                                let wanted = Pattern().bytes(at: index * 2_000, count: 2_000)
                                if bytes.copyToArray() == wanted { right.add() }
                            }
                            ended.open()
                        }
                    }
                }
                #expect(threads.refusals.value > 0, "the pool is full")
                mayGoOn.open()
                for _ in 0..<20 { try ended.wait("a read") }
                #expect(right.value == 20)
                try files.close(file)
            }
        }
    }
}

/// Files of this process have at most so many bytes for a while; beyond is EFBIG, and no signal.
private func withFileLimit(_ byteCount: UInt, _ body: () throws -> Void) throws {
    let kind = __rlimit_resource_t(UInt32(RLIMIT_FSIZE.rawValue))
    var before = rlimit()
    getrlimit(kind, &before)
    let handler = signal(SIGXFSZ, SIG_IGN)
    var limit = rlimit(rlim_cur: rlim_t(byteCount), rlim_max: before.rlim_max)
    setrlimit(kind, &limit)
    defer {
        setrlimit(kind, &before)
        signal(SIGXFSZ, handler)
    }
    try body()
}
