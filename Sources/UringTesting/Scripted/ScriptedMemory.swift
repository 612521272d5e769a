internal import CUring
internal import Glibc

/// The memory that an operation was given, with what it held at that time.
///
/// > Thread: On-loop only.
/// > Ownership: Who submitted keeps the memory until the terminal completion; this is dropped with
/// > that completion.
@safe struct ScriptedMemory {
    // Safety: the contract of `KernelDriver` keeps what these point to valid until the terminal
    // completion, and the driver drops this value when it makes that completion.
    private let bytes: UnsafeRawBufferPointer?
    private let message: UnsafeMutablePointer<cu_message>?

    /// What the memory held when the operation was prepared, run by run.
    let runs: [[UInt8]]

    /// Watches one run of bytes.
    init(bytes: UnsafeRawBufferPointer) {
        unsafe self.bytes = bytes
        unsafe self.message = nil
        unsafe self.runs = [Array(bytes)]
    }

    /// Watches a message header, its table of runs and the runs themselves.
    init(message: UnsafeMutablePointer<cu_message>) {
        unsafe self.bytes = nil
        unsafe self.message = message
        unsafe self.runs = Self.readRuns(of: message)
    }

    /// The memory still holds what it held.
    var isUnchanged: Bool {
        // Safety: see the stored properties.
        if let bytes = unsafe bytes { return unsafe runs == [Array(bytes)] }
        if let message = unsafe message { return unsafe runs == Self.readRuns(of: message) }
        return true
    }

    private static func readRuns(of message: UnsafeMutablePointer<cu_message>) -> [[UInt8]] {
        // Safety: a message header points to `msg_iovlen` runs (recvmsg(2)); a run of no bytes may
        // have no address.
        let table = unsafe UnsafeBufferPointer(
            start: message.pointee.header.msg_iov,
            count: Int(message.pointee.header.msg_iovlen)
        )
        return unsafe table.map { run in
            unsafe Array(UnsafeRawBufferPointer(start: run.iov_base, count: Int(run.iov_len)))
        }
    }
}
