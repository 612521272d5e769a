// Reads a file for a while, in one sweep or at random places, and prints one JSON object: operations,
// bytes, seconds.
//
// As fio does it: one thread, so many reads always under way, and what was read is not looked at.

import Logging
import Synchronization
import UringCore
import UringEngine

/// One run, as the command line asks for it: PATH FACE PATTERN BYTES DEPTH DIRECT SECONDS [FEATURE…].
struct Run: Sendable {
    let path: Path
    let isAsync: Bool
    let isRandom: Bool
    let readBytes: Int
    let depth: Int
    let isDirect: Bool
    let nanoseconds: UInt64
    let features: Set<String>

    init?(_ words: [String]) {
        guard words.count >= 8, let readBytes = Int(words[4]), let depth = Int(words[5]),
            let seconds = Double(words[7])
        else { return nil }
        path = Path(words[1])
        isAsync = words[2] == "async"
        isRandom = words[3] == "random"
        self.readBytes = readBytes
        self.depth = depth
        isDirect = words[6] == "direct"
        nanoseconds = UInt64(seconds * 1e9)
        features = Set(words.dropFirst(8))
    }

    var loopOptions: LoopOptions {
        var options = LoopOptions()
        options.memoryLock = .off
        options.fileBufferBytes = max(readBytes, 4_096)
        options.fileBufferCount = max(depth, 4)
        options.usesFixedBuffers = !features.contains("no-fixed")
        options.registersFiles = features.contains("registered")
        return options
    }

    var fileOptions: FileOptions {
        var options = FileOptions.reading
        options.isDirect = isDirect
        return options
    }
}

/// Where the next read begins: blocks in turn, or drawn (xorshift).
struct Places {
    private let blockCount: UInt64
    private let run: Run
    private var next: UInt64 = 0
    private var state: UInt64 = 0x9E37_79B9_7F4A_7C15

    init(_ run: Run, fileBytes: UInt64) {
        self.run = run
        blockCount = max(1, fileBytes / UInt64(run.readBytes))
    }

    mutating func place() -> UInt64 {
        if run.isRandom {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state % blockCount * UInt64(run.readBytes)
        }
        defer { next = next + 1 == blockCount ? 0 : next + 1 }
        return next * UInt64(run.readBytes)
    }
}

/// What was done, and until when more is begun.
final class Tally {
    var places: Places
    var operations = 0
    var bytes = 0
    let begin = MonotonicClock.nanoseconds()
    let end: UInt64
    var isOver = false

    init(_ run: Run, fileBytes: UInt64) {
        places = Places(run, fileBytes: fileBytes)
        end = begin + run.nanoseconds
    }

    /// Counts a read; true while another one is to be begun.
    ///
    /// The clock is looked at every 16 reads.
    func add(_ byteCount: Int) -> Bool {
        operations += 1
        bytes += byteCount
        if operations & 15 == 0, MonotonicClock.nanoseconds() >= end { isOver = true }
        return !isOver
    }

    func report() {
        let seconds = Double(MonotonicClock.nanoseconds() - begin) / 1e9
        print("{\"operations\": \(operations), \"bytes\": \(bytes), \"seconds\": \(seconds)}")
    }
}

/// The callback face: each completion begins the next read.
func readByCallbacks(_ run: Run) throws {
    let loop = try EventLoop(run.loopOptions)
    var opened: Result<OpenFile, IOError>?
    try loop.openFile(run.path, options: run.fileOptions) { opened = $0 }
    while opened == nil { try loop.runOnce(mayWait: true) }
    guard let file = try opened?.get() else { return }
    var size: Result<FileAttributes, IOError>?
    file.attributes { size = $0 }
    while size == nil { try loop.runOnce(mayWait: true) }
    let tally = Tally(run, fileBytes: try size?.get().byteCount ?? 0)
    var underWay = 0
    func begin() throws {
        underWay += 1
        try file.read(at: tally.places.place(), byteCount: run.readBytes) { result in
            underWay -= 1
            if case .success(.some(let bytes)) = consume result, tally.add(bytes.byteCount) {
                try? begin()
            } else if underWay == 0 {
                loop.stop()
            }
        }
    }
    for _ in 0..<run.depth { try begin() }
    try loop.runForever()
    tally.report()
    loop.shutDown()
}

/// The async face: as many tasks as reads under way.
func readByTasks(_ run: Run) async throws {
    var configuration = Configuration()
    configuration.loop = run.loopOptions
    configuration.coreCount = 1
    configuration.pinning = .off
    let supervisor = try Supervisor(configuration: configuration, logger: nil)
    try await supervisor.run { shard in
        try await shard.withFile(run.path, options: run.fileOptions) { file in
            let tally = Handed(Tally(run, fileBytes: try await file.attributes().byteCount))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<run.depth {
                    group.addTask {
                        var goesOn = true
                        while goesOn {
                            let place = tally.value.places.place()
                            let bytes = try await file.read(at: place, count: run.readBytes)
                            goesOn = tally.value.add(bytes?.byteCount ?? 0)
                        }
                    }
                }
                try await group.waitForAll()
            }
            tally.value.report()
        }
    }
}

/// A value that only one shard's tasks use.
struct Handed<Value>: @unchecked Sendable {
    let value: Value

    init(_ value: Value) { self.value = value }
}

guard let run = Run(CommandLine.arguments) else {
    print(
        "usage: PATH callback|async sequential|random BYTES DEPTH direct|cached SECONDS [FEATURE…]"
    )
    fatalError("the command line is not as it should be")
}
if run.isAsync { try await readByTasks(run) } else { try readByCallbacks(run) }
