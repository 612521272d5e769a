import CUring
import Glibc
import Testing
import UringEngine

@Suite struct ScratchPoolTests {
    private let pool = ScratchPool()

    @Test func lendsDistinctPiecesAndReusesThem() {
        let first = pool.lend()
        let second = pool.lend()
        #expect(pool.lentCount == 2)
        #expect(first.message != second.message)
        #expect(first.runs != second.runs)
        pool.giveBack(first)
        #expect(pool.lentCount == 1)
        let third = pool.lend()
        #expect(third.message == first.message)
        pool.giveBack(second)
        pool.giveBack(third)
        #expect(pool.lentCount == 0)
    }

    @Test func pointsAHeaderAtItsRuns() {
        let handle = pool.lend()
        defer { pool.giveBack(handle) }
        handle.message.pointee.message.header.msg_flags = 7
        let message = handle.prepareMessage(runCount: 3)
        #expect(message.pointee.header.msg_iov == handle.runs)
        #expect(message.pointee.header.msg_iovlen == 3)
        #expect(message.pointee.header.msg_flags == 0, "nothing is left of the last user")
        #expect(message.pointee.header.msg_name == nil)
        #expect(message.pointee.header.msg_control == nil)
    }

    @Test func keepsTheAddressBesideTheHeader() throws {
        let handle = pool.lend()
        defer { pool.giveBack(handle) }
        let address = SocketAddress.ipv4(0x0102_0304, port: 9)
        try address.store(in: &handle.message.pointee.address)
        _ = handle.prepareMessage(runCount: MessageScratch.runsMax)
        #expect(SocketAddress(handle.addressPointer.pointee) == address)
    }

    @Test func trapsWhenAPieceComesBackTwice() async {
        await #expect(processExitsWith: .failure) {
            let pool = ScratchPool()
            let handle = pool.lend()
            pool.giveBack(handle)
            pool.giveBack(handle)
        }
    }
}
