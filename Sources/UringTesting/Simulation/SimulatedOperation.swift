import UringEngine

/// One operation that a loop gave to a simulated kernel.
///
/// > Thread: On the simulation's thread only.
final class SimulatedOperation {
    enum Verb {
        case accept(isMultishot: Bool)
        case connect(SocketAddress)
        case receive(byteBudget: Int, waitsFirst: Bool)
        case send(SimulatedMemory)
        case discard(byteCount: Int)
        case poll(PollEvents, isMultishot: Bool)
        case receiveMessage(SimulatedRoom, waitsFirst: Bool)
        case file(FileRequest)
        case cancel(OperationToken)
        case readStream(isMultishot: Bool)
        case writeStream(SimulatedMemory)
    }

    let token: OperationToken
    let verb: Verb
    let descriptor: Descriptor
    /// Whose loop asked; it outlives its operations.
    unowned let driver: SimulatedDriver
    /// The socket that the number stood for when it was asked; nil for a cancel.
    let socket: SimulatedSocket?
    /// The open file that the number stood for; nil for a path's.
    var file: SimulatedOpenFile?
    /// All that the loop keeps unchanged for it.
    let memory: SimulatedMemory?
    /// A send that reads its bytes until the peer has acknowledged them.
    let isZeroCopy: Bool
    /// It has told what it sent; what is left is that nobody reads its bytes any more.
    var hasReported = false
    /// Bytes taken by a send, or handed over by a receive.
    var doneByteCount = 0
    /// The kernel will look at it.
    var isDue = false
    var isCancelled = false
    /// It has looked for readiness once.
    var hasWaited = false
    /// Its terminal completion was made.
    var isOver = false

    init(
        _ token: OperationToken,
        _ verb: Verb,
        on descriptor: Descriptor,
        of socket: SimulatedSocket?,
        driver: SimulatedDriver,
        memory: SimulatedMemory? = nil,
        isZeroCopy: Bool = false
    ) {
        self.token = token
        self.isZeroCopy = isZeroCopy
        self.verb = verb
        self.descriptor = descriptor
        self.socket = socket
        self.driver = driver
        self.memory = memory
    }
}
