/// What a driver can do here, after its probe and self-tests.
///
/// Transports branch on this alone.
///
/// > Thread: Any thread.
package struct Capabilities: Hashable, Sendable {
    /// One accept hands over many connections until its terminal completion.
    package var multishotAccept = false
    /// One receive hands over many buffers until its terminal completion.
    package var multishotReceive = false
    /// A receive's byte budget is kept by the kernel itself, to the byte.
    package var receiveBudget = false
    /// A poll stays armed after it fired.
    package var multishotPoll = false
    /// A send can leave its bytes where they are, and tells later when it no longer reads them.
    package var zeroCopySend = false
    /// One receive of messages hands over many, each in a buffer behind its head (`MessageLayout`).
    package var multishotReceiveMessage = false
    /// One read of a pipe hands over many buffers until its terminal completion.
    package var multishotRead = false
    /// The kernel ends a connect at a deadline by itself (`KernelDriver.connectInTime`).
    package var linkedTimeout = false

    /// Describes a driver that can do nothing special.
    package init() {}
}

/// A feature of the kernel that can be masked, so that every rung and fallback is tested on a new
/// kernel.
///
/// > Thread: Any thread.
public enum KernelFeature: String, Hashable, Sendable, CaseIterable {
    /// SINGLE_ISSUER and DEFER_TASKRUN: the first rung of the ladder.
    case deferTaskrun = "defer_taskrun"
    /// COOP_TASKRUN: the second rung.
    case coopTaskrun = "coop_taskrun"
    /// SUBMIT_ALL: the third rung.
    case submitAll = "submit_all"
    /// The provided-buffer ring.
    case bufferRing = "buf_ring"
    /// Multishot accept.
    case multishotAccept = "multishot_accept"
    /// Multishot receive.
    case multishotReceive = "multishot_recv"
    /// Multishot poll.
    case multishotPoll = "multishot_poll"
    /// Multishot receive of datagrams.
    case multishotReceiveMessage = "multishot_recvmsg"
    /// Multishot read, of pipes.
    case multishotRead = "multishot_read"
    /// The kernel's own total for a multishot receive.
    case receiveBudget = "recv_budget"
    /// Sends without a copy.
    case zeroCopySend = "send_zc"
    /// A connect's deadline, kept by the kernel.
    case linkedTimeout = "link_timeout"
    /// A registered ring descriptor.
    case registeredRing = "registered_ring"
    /// Waits that are not counted as waiting for I/O.
    case noIOWait = "no_iowait"
    /// A cap on the kernel's worker threads for calls that block.
    case workerCap = "worker_cap"
    /// Operations on files and paths; without them they are done by blocking calls elsewhere.
    case fileOperations = "file_ops"
    /// Registered memory for reads and writes of files.
    case fixedBuffers = "fixed_buffers"
    /// A table of registered files.
    case registeredFiles = "registered_files"
}
