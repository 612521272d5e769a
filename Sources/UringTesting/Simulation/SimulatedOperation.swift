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
        case cancel(OperationToken)
    }

    let token: OperationToken
    let verb: Verb
    let descriptor: Descriptor
    /// Whose loop asked; it outlives its operations.
    unowned let driver: SimulatedDriver
    /// The socket that the number stood for when it was asked; nil for a cancel.
    let socket: SimulatedSocket?
    /// All that the loop keeps unchanged for it.
    let memory: SimulatedMemory?
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
        memory: SimulatedMemory? = nil
    ) {
        self.token = token
        self.verb = verb
        self.descriptor = descriptor
        self.socket = socket
        self.driver = driver
        self.memory = memory
    }
}
