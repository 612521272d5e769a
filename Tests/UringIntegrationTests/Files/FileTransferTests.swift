import Glibc
import Testing

@testable import UringEngine

extension Integration {
    /// Reading and writing at offsets.
    @Suite struct FileTransferTests {
        @Test(arguments: Rung.all) func readsWhatWasWritten(rung: Rung) throws {
            try withFiles(rung) { files in
                let content = Pattern().bytes(at: 0, count: 300_000)
                let file = try files.make("file", content)
                #expect(try files.read(file, at: 0, 10) == Array(content[..<10]))
                #expect(
                    try files.read(file, at: 131_072, 131_072) == Array(content[131_072..<262_144])
                )
                #expect(try files.read(file, at: 262_144, 131_072) == Array(content[262_144...]))
                #expect(try files.attributes(file).byteCount == 300_000)
                try files.close(file)
            }
        }

        @Test(arguments: Rung.all) func readsNothingAtTheEnd(rung: Rung) throws {
            try withFiles(rung) { files in
                let file = try files.make("file", [1, 2, 3])
                #expect(try files.read(file, at: 3, 10) == nil)
                #expect(try files.read(file, at: 1 << 40, 10) == nil)
                #expect(try files.read(file, at: 2, 10) == [3])
                try files.close(file)
            }
        }

        /// Larger than a buffer for files, and more at once than there are of those.
        @Test(arguments: [Rung.everything, .epoll]) func readsWithoutAFreeBuffer(rung: Rung) throws
        {
            let configure: (inout LoopOptions) -> Void = {
                $0.fileBufferBytes = 4_096
                $0.fileBufferCount = 2
            }
            try withFiles(rung, configure) { files in
                let content = Pattern().bytes(at: 0, count: 40_000)
                let file = try files.make("file", content)
                #expect(try files.read(file, at: 0, 40_000) == content)
                let drops = try (0..<10).map { index in
                    try files.laterRead(file, at: UInt64(index) * 4_000, 4_000)
                }
                for (index, drop) in drops.enumerated() {
                    let bytes = try drop.take("a read").get()
                    #expect(bytes == Array(content[(index * 4_000)..<(index * 4_000 + 4_000)]))
                }
                try files.close(file)
            }
        }

        @Test(arguments: Rung.all) func appendsAtTheEnd(rung: Rung) throws {
            try withFiles(rung) { files in
                let file = try files.open(files.path(), .appending)
                try files.append(file, [1, 2])
                let other = try files.open(files.path(), .appending)
                try files.append(other, [3])
                try files.append(file, [4, 5])
                let reader = try files.open(files.path())
                #expect(try files.read(reader, at: 0, 100) == [1, 2, 3, 4, 5])
                for file in [file, other, reader] { try files.close(file) }
            }
        }

        @Test(arguments: Rung.all) func syncsAllocatesAndTruncates(rung: Rung) throws {
            try withFiles(rung) { files in
                let file = try files.make("file", [1, 2, 3])
                try files.answer("a sync") { _, done in file.sync(completion: done) } as Void
                try files.answer("a sync") { _, done in
                    file.sync(isDataOnly: true, completion: done)
                } as Void
                try files.answer("a truncation") { _, done in
                    try file.truncate(to: 10, completion: done)
                } as Void
                #expect(try files.read(file, at: 0, 100) == [1, 2, 3, 0, 0, 0, 0, 0, 0, 0])
                try files.answer("a truncation") { _, done in
                    try file.truncate(to: 2, completion: done)
                } as Void
                #expect(try files.read(file, at: 0, 100) == [1, 2])
                try files.answer("an allocation") { _, done in
                    try file.allocate(0..<8_192, completion: done)
                } as Void
                let attributes = try files.attributes(file)
                #expect(attributes.byteCount == 8_192)
                #expect(attributes.allocatedBytes >= 8_192)
                try files.close(file)
            }
        }

        /// What was read before the file became shorter is right, what comes after is not there.
        @Test(arguments: [Rung.everything, .epoll]) func readsOfATruncatedFileEnd(rung: Rung) throws
        {
            try withFiles(rung) { files in
                let content = Pattern().bytes(at: 0, count: 100_000)
                let file = try files.make("file", content)
                #expect(try files.read(file, at: 0, 50_000) == Array(content[..<50_000]))
                #expect(truncate(files.path().description, 60_000) == 0)
                #expect(try files.read(file, at: 50_000, 50_000) == Array(content[50_000..<60_000]))
                #expect(try files.read(file, at: 60_000, 50_000) == nil)
                try files.close(file)
            }
        }
    }
}
