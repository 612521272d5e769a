import CUring
import Testing

@testable import UringEngine

/// What a child made by fork(2) must not get: pages that the kernel writes for its parent.
@Suite struct ForkTests {
    /// The flags that proc(5) shows of the mapping that holds an address.
    private func flags(ofMappingAt address: UnsafeRawPointer) throws -> [Substring] {
        var isInside = false
        for line in try wholeText(ofFile: "/proc/self/smaps").split(separator: "\n") {
            if let header = line.prefixMatch(of: #/([0-9a-f]+)-([0-9a-f]+) /#) {
                let start = try #require(UInt(header.1, radix: 16))
                let end = try #require(UInt(header.2, radix: 16))
                isInside = (start..<end).contains(UInt(bitPattern: address))
            } else if isInside, line.hasPrefix("VmFlags:") {
                return Array(line.split(separator: " ").dropFirst())
            }
        }
        Issue.record("no mapping holds the address")
        return []
    }

    @Test func leavesTheRingOut() throws {
        let harness = try DriverHarness()
        defer { withExtendedLifetime(harness) {} }
        let raw = harness.driver.raw
        let queues = try #require(raw.pointee.sq.ring_ptr)
        let entries = try #require(raw.pointee.sq.sqes)
        #expect(try flags(ofMappingAt: queues).contains("dc"), "do not copy on fork")
        #expect(try flags(ofMappingAt: entries).contains("dc"))
    }

    @Test func leavesTheBufferRingOut() throws {
        let harness = try DriverHarness()
        defer { withExtendedLifetime(harness) {} }
        let buffers = try #require(harness.driver.buffers)
        #expect(try flags(ofMappingAt: buffers.words).contains("dc"))
    }

    @Test func leavesThePoolOut() throws {
        let pool = try PoolFixture(bufferCount: 64, bufferBytes: 4_096).pool
        defer { withExtendedLifetime(pool) {} }
        #expect(try flags(ofMappingAt: pool.region.base).contains("dc"))
        let last = pool.region.base + (64 * 4_096 - 1)
        #expect(try flags(ofMappingAt: last).contains("dc"))
    }

    /// What the tests above rely on: other memory has no such flag.
    @Test func takesTheRestOfTheProcess() throws {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 16)
        defer { memory.deallocate() }
        let flags = try flags(ofMappingAt: memory)
        #expect(flags.contains("rd") && !flags.contains("dc"))
    }
}
