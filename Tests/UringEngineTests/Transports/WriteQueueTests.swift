import CUring
import Glibc
import Testing

@testable import UringEngine

@Suite struct WriteQueueTests {
    private func append(_ bytes: [UInt8], to queue: inout WriteQueue) {
        bytes.withUnsafeBytes { queue.append(copying: $0) }
    }

    private func only(_ queue: inout WriteQueue) -> [UInt8]? {
        queue.beginSendOfOnlyBlock().map { Array($0) }
    }

    /// Takes `limit` bytes out, as sends that are short again and again.
    private func take(_ limit: Int, from queue: inout WriteQueue) -> [UInt8] {
        let runs = UnsafeMutablePointer<iovec>.allocate(capacity: MessageScratch.runsMax)
        defer { runs.deallocate() }
        let count = queue.beginSend(runs: runs)
        let bytes = (0..<count).flatMap { position in
            Array(
                UnsafeRawBufferPointer(
                    start: runs[position].iov_base,
                    count: runs[position].iov_len
                )
            )
        }
        let sent = Array(bytes.prefix(limit))
        queue.endSend(byteCount: sent.count)
        return sent
    }

    @Test func gathersSmallWritesInOneBlock() {
        var queue = WriteQueue()
        append([1], to: &queue)
        append([2, 3], to: &queue)
        #expect(queue.byteCount == 3)
        #expect(queue.pinnedBytes == 512)
        #expect(queue.blockCount == 1)
        #expect(take(.max, from: &queue) == [1, 2, 3])
    }

    @Test func leavesTheBlockInFlightAlone() {
        var queue = WriteQueue()
        append([1], to: &queue)
        #expect(only(&queue) == [1])
        append([2], to: &queue)
        append([3], to: &queue)
        #expect(queue.blockCount == 2)
        #expect(queue.pinnedBytes == 512 + WriteQueue.gatherBytes)
        queue.endSend(byteCount: 1)
        #expect(queue.pinnedBytes == WriteQueue.gatherBytes)
        #expect(only(&queue) == [2, 3])
    }

    @Test func splitsAWriteOverTheRoomThatIsLeft() {
        var queue = WriteQueue()
        append(pattern(500), to: &queue)
        append(pattern(100, from: 500), to: &queue)
        #expect(only(&queue) == nil)
        var all: [UInt8] = []
        while !queue.isEmpty { all += take(.max, from: &queue) }
        #expect(all == pattern(600))
    }

    @Test func keepsEverythingWhenNothingWasSent() {
        var queue = WriteQueue()
        append([1, 2], to: &queue)
        #expect(only(&queue) == [1, 2])
        queue.endSend(byteCount: 0)
        #expect(queue.inFlightCount == 0)
        #expect(queue.byteCount == 2)
        #expect(only(&queue) == [1, 2])
    }

    @Test(arguments: 1...6) func keepsTheOrderForEveryShortSend(first: Int) throws {
        for second in 1...6 {
            let fixture = try PoolFixture(bufferCount: 2)
            let buffers = fixture.provide(2)
            fixture.onLoop {
                var queue = WriteQueue()
                queue.append(fixture.receive([1, 2, 3], in: buffers[0]))
                queue.append(fixture.receive([4, 5, 6], in: buffers[1], offset: 60))
                append([7], to: &queue)
                var all = take(first, from: &queue)
                all += take(second, from: &queue)
                while !queue.isEmpty { all += take(.max, from: &queue) }
                #expect(all == [1, 2, 3, 4, 5, 6, 7])
                #expect(queue.byteCount == 0)
                #expect(queue.pinnedBytes == 0)
                #expect(fixture.pool.lentCount == 0)
            }
        }
    }

    @Test func compactsBehindTheSendInFlight() throws {
        let fixture = try PoolFixture(bufferCount: 4, bufferBytes: 4_096)
        let buffers = fixture.provide(4)
        fixture.onLoop {
            var queue = WriteQueue()
            queue.append(fixture.receive([1], in: buffers[0]))
            #expect(only(&queue) == [1])
            queue.append(fixture.receive([2], in: buffers[1]))
            queue.append(fixture.receive(pattern(2_000), in: buffers[2]))
            queue.append(fixture.receive([3], in: buffers[3]))
            queue.compact()
            #expect(fixture.pool.lentCount == 2)
            #expect(queue.byteCount == 2_003)
            #expect(queue.pinnedBytes == 2 * 4_096 + 2 * WriteQueue.gatherBytes)
            queue.compact()
            queue.endSend(byteCount: 1)
            #expect(take(.max, from: &queue) == [2] + pattern(2_000) + [3])
            #expect(fixture.pool.lentCount == 0)
        }
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func agreesWithAModel(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let fixture = try PoolFixture(bufferCount: 8)
        var model: [UInt8] = []
        var next = 0
        fixture.onLoop {
            var queue = WriteQueue()
            for _ in 0..<1_000 {
                switch Int.random(in: 0..<4, using: &generator) {
                case 0:
                    let bytes = pattern(.random(in: 1...700, using: &generator), from: next)
                    next += bytes.count
                    model += bytes
                    append(bytes, to: &queue)
                case 1:
                    guard let buffer = fixture.pool.takeForKernel() else { continue }
                    let bytes = pattern(.random(in: 1...64, using: &generator), from: next)
                    next += bytes.count
                    model += bytes
                    queue.append(fixture.receive(bytes, in: buffer))
                case 2: queue.compact()
                default:
                    let sent = take(.random(in: 0...2_000, using: &generator), from: &queue)
                    #expect(sent == Array(model.prefix(sent.count)))
                    model.removeFirst(sent.count)
                }
                #expect(queue.byteCount == model.count)
                #expect(queue.isEmpty == model.isEmpty)
            }
            queue.removeAll()
            #expect(queue.pinnedBytes == 0)
        }
        #expect(fixture.pool.lentCount == 0)
    }
}
