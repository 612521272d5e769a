// Reads a file for a while with NIOFileSystem, as the uringcore program beside it does; prints one JSON
// object. It takes no O_DIRECT: its reads are of the cache.

import NIOCore
import Synchronization
import _NIOFileSystem

let words = CommandLine.arguments
guard words.count >= 6, let readBytes = Int64(words[3]), let depth = Int(words[4]),
    let seconds = Double(words[5])
else {
    fatalError("usage: PATH sequential|random BYTES DEPTH SECONDS")
}
let isRandom = words[2] == "random"

let operations = Atomic(0)
let bytes = Atomic(0)
let next = Atomic(UInt64(0))
let clock = ContinuousClock()
let begin = clock.now
let end = begin.advanced(by: .milliseconds(Int(seconds * 1_000)))

@Sendable func draw(_ state: inout UInt64) -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
}

try await FileSystem.shared.withFileHandle(forReadingAt: FilePath(words[1])) { file in
    let blockCount = UInt64(max(1, try await file.info().size / readBytes))
    try await withThrowingTaskGroup(of: Void.self) { group in
        for task in 0..<depth {
            group.addTask {
                var state = 0x9E37_79B9_7F4A_7C15 &+ UInt64(task) &* 7_919
                while clock.now < end {
                    let block =
                        isRandom
                        ? draw(&state) % blockCount
                        : next.wrappingAdd(1, ordering: .relaxed).oldValue % blockCount
                    let chunk = try await file.readChunk(
                        fromAbsoluteOffset: Int64(block) * readBytes,
                        length: .bytes(readBytes)
                    )
                    operations.wrappingAdd(1, ordering: .relaxed)
                    bytes.wrappingAdd(chunk.readableBytes, ordering: .relaxed)
                }
            }
        }
        try await group.waitForAll()
    }
}
let elapsed = (clock.now - begin) / .seconds(1)
print(
    "{\"operations\": \(operations.load(ordering: .relaxed)), "
        + "\"bytes\": \(bytes.load(ordering: .relaxed)), \"seconds\": \(elapsed)}"
)
