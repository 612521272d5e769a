import CUring
import Synchronization
import UringEngine

/// A waker that only counts.
final class CountingWaker: Waker {
    private let wakes = Atomic(0)
    var count: Int { wakes.load(ordering: .relaxed) }

    func wake() {
        wakes.add(1, ordering: .relaxed)
    }
}

/// A small pool whose thread is the one that `onLoop` runs on.
final class PoolFixture {
    final class Identity {}

    let pool: BufferPool
    let waker = CountingWaker()
    let identity = Identity()

    init(bufferCount: Int = 4, bufferBytes: Int = 64) throws {
        self.pool = try BufferPool(
            BufferPoolOptions(bufferBytes: bufferBytes, bufferCount: bufferCount),
            loop: identity,
            waker: waker
        )
    }

    /// Runs `body` as the pool's own loop does.
    func onLoop<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure) {
        let outer = cu_current_loop()
        cu_set_current_loop(Unmanaged.passUnretained(identity).toOpaque())
        defer { cu_set_current_loop(outer) }
        try body()
    }

    /// Takes `count` buffers for the kernel.
    func provide(_ count: Int) -> [BufferID] {
        (0..<count).compactMap { _ in pool.takeForKernel() }
    }

    /// Fills a kernel's buffer and takes it over, as a completion does.
    func receive(_ bytes: [UInt8], in buffer: BufferID, offset: UInt32 = 0) -> ReceivedBytes {
        let start = pool.region.address(of: buffer) + Int(offset)
        start.copyMemory(from: bytes, byteCount: bytes.count)
        return pool.receive(
            BufferSlice(buffer: buffer, offset: offset, count: UInt32(bytes.count))
        )
    }
}

/// A place for bytes that a closure or a thread takes over.
final class BytesBox: @unchecked Sendable {
    private var bytes: ReceivedBytes?

    init(_ bytes: consuming ReceivedBytes) {
        self.bytes = consume bytes
    }

    func take() -> ReceivedBytes? {
        bytes.take()
    }
}
