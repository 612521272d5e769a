import Glibc
import Testing

@testable import UringEngine

/// An io_uring driver with a pool.
final class DriverHarness: Harness<UringDriver> {
    init(
        bufferBytes: Int = 64,
        bufferCount: Int = 8,
        _ change: (inout UringDriverOptions) -> Void = { _ in }
    ) throws {
        var options = UringDriverOptions()
        options.sizes = RingSizes(
            submissionEntries: 64,
            completionEntries: 256,
            providedEntries: bufferCount
        )
        change(&options)
        try super.init(UringDriver(options: options), bufferBytes, bufferCount)
    }
}

/// An epoll driver with a pool.
final class EpollHarness: Harness<EpollDriver> {
    init(bufferBytes: Int = 64, bufferCount: Int = 8) throws {
        try super.init(EpollDriver(), bufferBytes, bufferCount)
    }
}

/// A driver with a pool, and the few verbs that its tests are made of.
class Harness<Driver: KernelDriver> {
    let driver: Driver
    let memory: MemoryMap
    let region: PoolRegion
    private var batch = CompletionBatch(capacity: 512)
    private var nextSlot: UInt32 = 0

    /// Far beyond what anything here takes, so that a loaded machine fails no test.
    static var patience: UInt64 { 20_000_000_000 }

    init(_ driver: Driver, _ bufferBytes: Int, _ bufferCount: Int) throws {
        self.driver = driver
        memory = try MemoryMap(byteCount: PoolRegion.strideBytes(bufferBytes) * bufferCount)
        region = PoolRegion(
            base: memory.base,
            bufferBytes: bufferBytes,
            bufferCount: bufferCount
        )
        try driver.adopt(region)
    }

    /// The region must outlive what the kernel does with it.
    deinit {
        _ = driver.shutDown(graceNanoseconds: Self.patience)
    }

    func token(_ kind: OperationKind) -> OperationToken {
        nextSlot += 1
        return OperationToken(
            generation: .first,
            kind: kind,
            slot: SlotIndex(rawValue: nextSlot)
        )
    }

    func provideAll() {
        for id in 0..<region.bufferCount { driver.provide(BufferID(rawValue: UInt16(id))) }
        driver.publish()
    }

    /// Takes everything that is there now, without a wait.
    func reap() -> [Completion] {
        batch.removeAll()
        driver.reap(into: &batch)
        return (0..<batch.count).map { batch[$0] }
    }

    /// Waits for `count` completions, and fails the test when they do not come.
    func completions(_ count: Int) throws -> [Completion] {
        let deadline = driver.now() + Self.patience
        var all = reap()
        while all.count < count {
            try driver.submitAndWait(.deadline(deadline))
            all += reap()
            try #require(driver.now() < deadline, "\(all.count) of \(count) completions came")
        }
        return all
    }

    /// Waits for completions up to and including the terminal one of `token`.
    func rest(of token: OperationToken) throws -> [Completion] {
        var all: [Completion] = []
        while !all.contains(where: { $0.token == token && $0.isTerminal }) {
            all += try completions(1)
        }
        return all
    }

    /// Lets everything happen that is already on its way: waits until `instants` of real time have passed.
    func waitOut(nanoseconds: UInt64) throws {
        let end = driver.now() + nanoseconds
        while driver.now() < end { try driver.submitAndWait(.deadline(end)) }
    }

    func bytes(of completion: Completion) -> [UInt8] {
        guard let slice = completion.slice else { return [] }
        let start = region.address(of: slice.buffer) + Int(slice.offset)
        return Array(UnsafeRawBufferPointer(start: start, count: Int(slice.count)))
    }
}

/// A connected pair of sockets, closed with this object.
final class SocketPair {
    let near: Descriptor
    private(set) var far: Int32

    init(type: Int32 = Int32(SOCK_STREAM.rawValue)) throws {
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, type | Int32(SOCK_NONBLOCK.rawValue), 0, &ends) == 0)
        near = Descriptor(rawValue: ends[0])
        far = ends[1]
    }

    deinit {
        close(near.rawValue)
        closeFar()
    }

    func closeFar() {
        if far >= 0 { close(far) }
        far = -1
    }

    func write(_ bytes: [UInt8]) {
        #expect(Glibc.write(far, bytes, bytes.count) == bytes.count)
    }

    func read(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let received = Glibc.read(far, &bytes, count)
        return Array(bytes.prefix(max(0, received)))
    }
}

extension KernelDriver {
    /// A listener on a free port of 127.0.0.1.
    func loopbackListener() throws -> (descriptor: Descriptor, address: SocketAddress) {
        let any = try SocketAddress(host: "127.0.0.1", port: 0)
        let listener = try openStreamSocket(for: any)
        try bind(listener, to: any)
        try listen(on: listener, backlog: 512)
        return (listener, try localAddress(of: listener))
    }
}

/// How many descriptors this process has open.
func openDescriptorCount() -> Int {
    var count = 0
    for descriptor in 0..<Int32(1024) where fcntl(descriptor, F_GETFD) >= 0 { count += 1 }
    return count
}
