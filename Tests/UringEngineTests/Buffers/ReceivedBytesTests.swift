import Glibc
import Testing
import UringEngine

@Suite struct ReceivedBytesTests {
    @Test func showsTheSliceThatWasReceived() throws {
        let fixture = try PoolFixture()
        let buffer = fixture.provide(1)[0]
        let bytes = fixture.receive([1, 2, 3], in: buffer, offset: 61)
        #expect(bytes.byteCount == 3)
        #expect(bytes.copyToArray() == [1, 2, 3])
        #expect(bytes.withBytes { $0.byteCount } == 3)
        #expect(bytes.pinnedBytes == 64, "it pins its whole buffer")
    }

    @Test func givesItsBufferBackOnTheLoopAtOnce() throws {
        let fixture = try PoolFixture()
        let buffer = fixture.provide(1)[0]
        fixture.onLoop {
            do { _ = fixture.receive([1], in: buffer) }
            #expect(fixture.pool.lentCount == 0)
        }
    }

    @Test func copiesToTheHeapAndFreesItsBuffer() throws {
        let fixture = try PoolFixture()
        let buffer = fixture.provide(1)[0]
        fixture.onLoop {
            let copy = fixture.receive([7, 8], in: buffer, offset: 3).copiedToHeap()
            #expect(fixture.pool.lentCount == 0)
            #expect(copy.copyToArray() == [7, 8])
            #expect(copy.pinnedBytes == 2)
            let again = copy.copiedToHeap()
            #expect(again.copyToArray() == [7, 8])
        }
    }

    @Test func comesBackFromOtherThreads() throws {
        let fixture = try PoolFixture(bufferCount: 64)
        let boxes = fixture.provide(64).map { BytesBox(fixture.receive([9], in: $0)) }
        runOnThreads(4) { thread in
            for position in stride(from: thread, to: 64, by: 4) {
                if let bytes = boxes[position].take() { #expect(bytes.copyToArray() == [9]) }
            }
        }
        #expect(fixture.pool.lentCount == 64)
        fixture.pool.collectReturns()
        fixture.pool.checkInvariants()
        #expect(fixture.pool.freeBufferCount == 64)
    }

    @Test func keepsAnOrphanedPoolUntilTheLastReturn() throws {
        weak var pool: BufferPool?
        var held: [BytesBox] = []
        try {
            let fixture = try PoolFixture()
            pool = fixture.pool
            held = fixture.provide(3).map { BytesBox(fixture.receive([5], in: $0)) }
            fixture.pool.orphan()
        }()
        #expect(pool != nil)
        held.removeLast()
        runOnThreads(1) { _ in _ = held[1].take() }
        #expect(pool != nil)
        if let last = held[0].take() { #expect(last.copyToArray() == [5]) }
        #expect(pool == nil, "the last return frees it")
    }

    @Test func countsReturnsOnTheWayWhenThePoolIsOrphaned() throws {
        weak var pool: BufferPool?
        var held: [BytesBox] = []
        try {
            let fixture = try PoolFixture()
            pool = fixture.pool
            held = fixture.provide(2).map { BytesBox(fixture.receive([5], in: $0)) }
            held.removeLast()
            fixture.pool.orphan()
        }()
        #expect(pool != nil)
        held = []
        #expect(pool == nil)
    }

    @Test func keepsItsLoopsIdentityWhileItIsOrphaned() throws {
        weak var identity: PoolFixture.Identity?
        var held: [BytesBox] = []
        try {
            let fixture = try PoolFixture()
            identity = fixture.identity
            held = fixture.provide(1).map { BytesBox(fixture.receive([5], in: $0)) }
            fixture.pool.orphan()
        }()
        #expect(identity != nil, "a later loop at its address would be taken for its own")
        #expect(held[0].take()?.copyToArray() == [5])
        #expect(identity == nil)
    }

    @Test func leavesNothingBehindWhenNothingIsLent() throws {
        weak var pool: BufferPool?
        try {
            let fixture = try PoolFixture()
            pool = fixture.pool
            fixture.pool.orphan()
        }()
        #expect(pool == nil)
    }
}

/// Runs `body` on `count` threads at once, and returns when all have ended.
func runOnThreads(_ count: Int, _ body: @escaping (Int) -> Void) {
    final class Start {
        let number: Int
        let body: (Int) -> Void
        init(_ number: Int, _ body: @escaping (Int) -> Void) {
            self.number = number
            self.body = body
        }
    }
    let threads = (0..<count).map { number in
        var thread = pthread_t()
        let start = Unmanaged.passRetained(Start(number, body)).toOpaque()
        let failure = pthread_create(
            &thread,
            nil,
            { argument in
                guard let argument else { return nil }
                let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                start.body(start.number)
                return nil
            },
            start
        )
        precondition(failure == 0, "a test can start a thread")
        return thread
    }
    for thread in threads { pthread_join(thread, nil) }
}
