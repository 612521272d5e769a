import Glibc
import Testing

@testable import UringEngine

extension Integration {
    /// Files in the ring's own table, memory registered with it, and transfers past the cache.
    @Suite struct RegisteredFileTests {
        private static let registering: @Sendable (inout LoopOptions) -> Void = {
            $0.registersFiles = true
        }

        private static let rings = Rung.all.filter { $0.backend == .uring }

        /// A closed number comes again with the next open, and so does the place in the table: an
        /// operation must never reach the file that had them before.
        @Test(arguments: Rung.all) func neverReachTheFileThatHadTheNumber(rung: Rung) throws {
            try withFiles(rung, Self.registering) { files in
                for name in 0..<8 { try files.close(files.make("\(name)", [UInt8(name)])) }
                var numbers: Set<Int32> = []
                for round in 0..<400 {
                    let name = round % 8
                    let options = FileOptions(access: .readWrite, creation: .never)
                    let file = try files.open(files.path("\(name)"), options)
                    numbers.insert(file.target.descriptor.rawValue)
                    #expect(try files.read(file, at: 0, 10) == [UInt8(name)])
                    try files.write(file, [UInt8(name)], at: 0)
                    try files.close(file)
                }
                #expect(numbers.count < 400, "so numbers were used again")
            }
        }

        /// The table lets go of a file with its close: nobody holds it open any more.
        @Test(arguments: rings) func aCloseLetsGoOfTheFile(rung: Rung) throws {
            try withFiles(rung, Self.registering) { files in
                let file = try files.make("file", [1])
                let isExpected = !rung.featuresOff.contains(.registeredFiles)
                #expect((file.target.place != nil) == isExpected)
                try files.close(file)
                // Whoever has a file open for writing keeps it from being leased for reading
                // (fcntl(2), F_SETLEASE: EAGAIN).
                let reader = Glibc.open(files.path().description, O_RDONLY | O_CLOEXEC)
                defer { Glibc.close(reader) }
                #expect(fcntl(reader, 1_024, F_RDLCK) == 0, "errno \(errno)")
                _ = fcntl(reader, 1_024, F_UNLCK)
            }
        }

        /// More files than the table has places: those without one work too.
        @Test func goWithoutAPlaceWhereThereIsNone() throws {
            try withFiles(.everything, Self.registering) { files in
                try files.close(files.make("file", [7]))
                DescriptorLimit.raise()
                let count = RegisteredDescriptors.placesMax + 20
                let all = try (0..<count).map { _ in try files.open(files.path()) }
                #expect(all.filter { $0.target.place == nil }.count == 20)
                for file in [all[0], all[count - 1]] {
                    #expect(try files.read(file, at: 0, 10) == [7])
                }
                for file in all { try files.close(file) }
                let again = try files.open(files.path())
                #expect(again.target.place != nil)
                try files.close(again)
            }
        }

        @Test(arguments: [true, false]) func readsIntoRegisteredMemory(isRegistered: Bool) throws {
            let configure: (inout LoopOptions) -> Void = { $0.usesFixedBuffers = isRegistered }
            try withFiles(.everything, configure) { files in
                let content = Pattern().bytes(count: 200_000)
                let file = try files.make("file", content)
                #expect(try files.read(file, at: 5, 100_000) == Array(content[5..<100_005]))
                try files.server.run { loop in
                    guard case .uring(let driver) = loop.driver else { return }
                    let memory = driver.takeUnretainedValue().fileMemory
                    #expect((memory != nil) == isRegistered)
                }
                try files.close(file)
            }
        }

        @Test(arguments: Rung.all) func transfersPastTheCache(rung: Rung) throws {
            try withFiles(rung) { files in
                let content = Pattern().bytes(count: 300_000)
                try files.close(files.make("file", content))
                var options = FileOptions(access: .readWrite, creation: .never)
                options.isDirect = true
                let file = try files.open(files.path(), options)
                let unit = try #require(file.directAlignment).offsetBytes
                #expect(unit >= 512 && unit <= 4_096)
                #expect(try files.read(file, at: 4_096, 8_192) == Array(content[4_096..<12_288]))
                #expect(try files.read(file, at: 299_008, 8_192) == Array(content[299_008...]))
                // Memory that begins anywhere is copied to where it may.
                try files.write(file, Array(content[..<4_096]), at: 8_192)
                #expect(try files.read(file, at: 8_192, 4_096) == Array(content[..<4_096]))
                let odd = try files.failure { _ = try files.read(file, at: 1, 4_096) }
                #expect(odd.reason == .invalidArgument)
                #expect(odd.description.contains("multiples of \(unit) bytes; got 4096 at 1"))
                let short = try files.failure { try files.write(file, [1, 2, 3], at: 0) }
                #expect(short.reason == .invalidArgument)
                try files.close(file)
            }
        }

        /// What the kernel's workers do is bounded, however much waits for the device.
        @Test func manySyncsMakeFewThreads() throws {
            try withFiles(.everything) { files in
                let all = try (0..<50).map { try files.make("\($0)", [1]) }
                let drops = try all.flatMap { file in
                    try (0..<4).map { _ in
                        try files.later("a sync") { _, done in file.sync(completion: done) }
                            as Drop<Result<Void, IOError>>
                    }
                }
                let workers = workerCount()
                for drop in drops { try drop.take("a sync").get() }
                let options = UringDriverOptions()
                #expect(
                    workers <= Int(options.boundedWorkersMax + options.unboundedWorkersMax),
                    "\(workers) workers"
                )
                for file in all { try files.close(file) }
            }
        }

        private func workerCount() -> Int {
            guard let directory = opendir("/proc/self/task") else { return 0 }
            defer { closedir(directory) }
            var count = 0
            while let entry = readdir(directory) {
                let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                guard let file = fopen("/proc/self/task/\(name)/comm", "r") else { continue }
                defer { fclose(file) }
                var line = [CChar](repeating: 0, count: 64)
                guard fgets(&line, 64, file) != nil else { continue }
                let text = line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:))
                if String(decoding: text, as: UTF8.self).hasPrefix("iou-wrk") { count += 1 }
            }
            return count
        }
    }
}
