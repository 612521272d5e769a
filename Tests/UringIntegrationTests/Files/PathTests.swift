import Glibc
import Testing

@testable import UringEngine

extension Integration {
    /// What is done with names.
    @Suite struct PathTests {
        @Test(arguments: Rung.all) func renamesAndRemoves(rung: Rung) throws {
            try withFiles(rung) { files in
                try files.close(files.make("old", [1]))
                try files.close(files.make("other", [2]))
                try files.answer("a rename") { loop, done in
                    try loop.renameFile(files.path("old"), to: files.path("new"), completion: done)
                } as Void
                #expect(files.directory.names == ["new", "other"])
                let kept = try files.failure {
                    try files.answer("a rename") { loop, done in
                        try loop.renameFile(
                            files.path("new"),
                            to: files.path("other"),
                            replaces: false,
                            completion: done
                        )
                    } as Void
                }
                #expect(kept.errno == .alreadyExists)
                #expect(kept.description.contains("\(files.path("new")) to \(files.path("other"))"))
                try files.answer("a removal") { loop, done in
                    try loop.removeFile(files.path("new"), completion: done)
                } as Void
                #expect(files.directory.names == ["other"])
            }
        }

        @Test(arguments: Rung.all) func makesListsAndRemovesDirectories(rung: Rung) throws {
            try withFiles(rung) { files in
                try files.answer("a directory") { loop, done in
                    try loop.makeDirectory(files.path("sub"), completion: done)
                } as Void
                try files.close(files.make("sub/file"))
                for name in 0..<300 { try files.close(files.make("sub/name-\(name)")) }
                let entries: [DirectoryEntry] = try files.answer("a listing") { loop, done in
                    try loop.listDirectory(files.path("sub"), completion: done)
                }
                let wanted = (0..<300).map { "name-\($0)" } + ["file"]
                #expect(entries.map(\.name.description).sorted() == wanted.sorted())
                #expect(entries.allSatisfy { $0.kind == .regular || $0.kind == .unknown })
                let full = try files.failure { try remove("sub", isDirectory: true, files) }
                #expect(full.errno == .notEmpty)
                for entry in entries {
                    try remove("sub/\(entry.name)", isDirectory: false, files)
                }
                try remove("sub", isDirectory: true, files)
                #expect(files.directory.names == [])
            }
        }

        private func remove(_ name: String, isDirectory: Bool, _ files: FileRun) throws {
            try files.answer("a removal") { loop, done in
                try loop.removeFile(
                    files.path(name),
                    isDirectory: isDirectory,
                    completion: done
                )
            }
        }

        @Test(arguments: Rung.all) func tellsWhatLiesAtAPath(rung: Rung) throws {
            try withFiles(rung) { files in
                try files.close(files.make("file", [1, 2, 3]))
                #expect(symlink("file", files.path("link").description) == 0)
                let followed = try attributes(files.path("link"), files)
                #expect(followed.kind == .regular && followed.byteCount == 3)
                #expect(followed.linkCount == 1 && followed.permissions == 0o644)
                #expect(followed.userID == getuid())
                let link = try attributes(files.path("link"), followsLinks: false, files)
                #expect(link.kind == .symbolicLink && link.byteCount == 4)
                let directory = try attributes(Path(files.directory.path), files)
                #expect(directory.kind == .directory)
                let missing = try files.failure { _ = try attributes(files.path("none"), files) }
                #expect(missing.errno == .notFound)
                #expect(missing.description.hasPrefix("inspect file failed: ENOENT (2): "))
            }
        }

        private func attributes(
            _ path: Path,
            followsLinks: Bool = true,
            _ files: FileRun
        ) throws -> FileAttributes {
            try files.answer("a status") { loop, done in
                try loop.fileAttributes(path, followsLinks: followsLinks, completion: done)
            }
        }

        /// A file is made as the options say.
        @Test(arguments: [Rung.everything, .epoll]) func makesFilesAsAskedFor(rung: Rung) throws {
            try withUmask(0o022) {
                try withFiles(rung) { files in
                    var options = FileOptions(access: .write, creation: .always)
                    options.permissions = 0o666
                    try files.close(files.open(files.path(), options))
                    #expect(try attributes(files.path(), files).permissions == 0o644)
                    let again = try files.failure { _ = try files.open(files.path(), options) }
                    #expect(again.errno == .alreadyExists)
                    #expect(symlink("file", files.path("link").description) == 0)
                    var unfollowed = FileOptions.reading
                    unfollowed.followsLinks = false
                    let link = try files.failure {
                        _ = try files.open(files.path("link"), unfollowed)
                    }
                    #expect(link.errno?.rawValue == ELOOP)
                }
            }
        }
    }
}
