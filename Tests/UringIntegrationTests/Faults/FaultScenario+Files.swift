import UringTesting

@testable import UringEngine

/// Files and names.
extension FaultScenario {
    static let files = [
        FaultScenario("files", options(carryOutHere)) { stage in
            let files = FileRun(stage.server, stage.directory, BlockingThreads(count: 0))
            for name in ["first", "second", "third"] { try tell(files, name) }
        }
    ]

    /// What a ring has no operation for is done on the loop's own thread: there is no other to wait for.
    private static func carryOutHere(_ options: inout LoopOptions) {
        options.offload = { work in
            work()
            return true
        }
    }

    /// Each verb once; what was said to have gone well did.
    private static func tell(_ files: FileRun, _ name: String) throws {
        let content = Pattern(seed: 5).bytes(count: 50_000)
        let file = try files.open(
            files.path(name),
            FileOptions(access: .readWrite, creation: .orEmpty)
        )
        do {
            try files.write(file, content, at: 0)
            try files.answer("a sync") { _, done in file.sync(completion: done) } as Void
            guard try files.attributes(file).byteCount == 50_000,
                try files.read(file, at: 10_000, 20_000) == Array(content[10_000..<30_000])
            else { throw WrongContent() }
        } catch {
            try? files.close(file)
            throw error
        }
        try files.close(file)
        try files.answer("a rename") { loop, done in
            let newPath = files.path(name + "-renamed")
            try loop.renameFile(files.path(name), to: newPath, completion: done)
        } as Void
        try files.answer("a removal") { loop, done in
            try loop.removeFile(files.path(name + "-renamed"), completion: done)
        } as Void
    }
}

/// A file holds other bytes than were written.
struct WrongContent: Error {}
