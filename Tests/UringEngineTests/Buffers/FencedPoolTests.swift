#if URINGCORE_FENCED_POOL
import Glibc
import Testing

@testable import UringEngine

/// In a build with fences, memory that was given back is a trap.
@Suite struct FencedPoolTests {
    @Test func trapsWhoReadsAFreeBuffer() async {
        await #expect(processExitsWith: .signal(SIGSEGV)) {
            let fixture = try PoolFixture(bufferCount: 2)
            let address = fixture.pool.region.address(of: BufferID(rawValue: 0))
            #expect(address.load(as: UInt8.self) == 1)
        }
    }

    @Test func trapsWhoReadsAfterTheEndOfReceivedBytes() async {
        await #expect(processExitsWith: .signal(SIGSEGV)) {
            let fixture = try PoolFixture(bufferCount: 2)
            let buffer = try #require(fixture.pool.takeForKernel())
            let address = fixture.pool.region.address(of: buffer)
            address.storeBytes(of: 7, as: UInt8.self)
            let slice = BufferSlice(buffer: buffer, offset: 0, count: 1)
            #expect(fixture.pool.receive(slice).copyToArray() == [7])
            #expect(address.load(as: UInt8.self) == 7)
        }
    }

    @Test func letsNobodyFindOldBytes() throws {
        let fixture = try PoolFixture(bufferCount: 1)
        let buffer = try #require(fixture.pool.takeForKernel())
        fixture.pool.region.address(of: buffer).storeBytes(of: 7, as: UInt8.self)
        fixture.pool.drop(fixture.pool.lease(buffer))
        let again = try #require(fixture.pool.takeForKernel())
        let found = fixture.pool.region.address(of: again).load(as: UInt8.self)
        #expect(found == UInt8(BufferFence.pattern))
    }

    /// A late write of the kernel fails instead of changing what is somebody else's by now.
    @Test func keepsTheKernelOut() throws {
        let fixture = try PoolFixture(bufferCount: 1)
        let address = fixture.pool.region.address(of: BufferID(rawValue: 0))
        let zero = open("/dev/zero", O_RDONLY | O_CLOEXEC)
        defer { close(zero) }
        #expect(read(zero, address, 64) == -1)
        #expect(errno == EFAULT)
    }
}
#endif
