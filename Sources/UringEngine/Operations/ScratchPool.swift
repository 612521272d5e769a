package import CUring
internal import Glibc

/// The arguments that the kernel reads late: a message header with its runs of bytes, and an
/// address.
///
/// > Ownership: One operation's, from its submission to its terminal completion.
@safe package struct MessageScratch {
    // Safety: the header's pointers lead to memory of the same handle.
    /// The most runs of bytes in one message.
    package static let runsMax = 64

    /// The message header; its pointers lead to the members below.
    package var message = unsafe cu_message()
    /// The peer or the target of a connect.
    package var address = cu_address()
}

/// A piece of scratch memory, as an operation slot stores it.
@safe package struct ScratchHandle {
    // Safety: allocated by the pool, freed by the pool; valid while an operation holds it.
    /// The header and the address.
    package let message: UnsafeMutablePointer<MessageScratch>
    /// `MessageScratch.runsMax` runs of bytes.
    package let runs: UnsafeMutablePointer<iovec>

    /// The address, for a connect.
    package var addressPointer: UnsafePointer<cu_address> {
        let offset = MemoryLayout<MessageScratch>.offset(of: \.address) ?? 0
        return unsafe UnsafeRawPointer(message).advanced(by: offset)
            .assumingMemoryBound(to: cu_address.self)
    }

    /// Points the header at the first `count` runs.
    package func prepareMessage(runCount: Int) -> UnsafeMutablePointer<cu_message> {
        unsafe message.pointee.message = cu_message()
        unsafe message.pointee.message.header.msg_iov = runs
        unsafe message.pointee.message.header.msg_iovlen = runCount
        return unsafe UnsafeMutableRawPointer(message).assumingMemoryBound(to: cu_message.self)
    }
}

/// A free list of scratch memory: an idle connection holds none.
///
/// > Thread: On-loop only.
package final class ScratchPool {
    // Safety: exclusivity is unchecked; the loop's thread alone touches these, and nothing called
    // from here comes back.
    @safe @exclusivity(unchecked) private var free: [ScratchHandle] = []
    /// Pieces lent to operations.
    @safe @exclusivity(unchecked) package private(set) var lentCount = 0

    /// Starts empty; memory is made when it is first needed, and kept.
    package init() {}

    deinit {
        // Pieces still lent belong to operations that the kernel never ended: leaked on purpose.
        for handle in free {
            // Safety: free pieces are held by nobody else.
            unsafe handle.message.deallocate()
            unsafe handle.runs.deallocate()
        }
    }

    /// Lends a piece.
    package func lend() -> ScratchHandle {
        lentCount += 1
        if let handle = free.popLast() { return handle }
        // Safety: initialized before it is handed out.
        let message = UnsafeMutablePointer<MessageScratch>.allocate(capacity: 1)
        unsafe message.initialize(to: MessageScratch())
        let runs = UnsafeMutablePointer<iovec>.allocate(capacity: MessageScratch.runsMax)
        unsafe runs.initialize(repeating: iovec(), count: MessageScratch.runsMax)
        return unsafe ScratchHandle(message: message, runs: runs)
    }

    /// Takes a piece back.
    package func giveBack(_ handle: ScratchHandle) {
        precondition(lentCount > 0, "scratch memory comes back once")
        lentCount -= 1
        free.append(handle)
    }
}
