import UringEngine

/// One end of a connection, or a listener, inside a simulated kernel.
///
/// A server's sockets have a descriptor; those of a simulation's clients have none, as if they were
/// on other machines.
///
/// > Thread: On the simulation's thread only.
final class SimulatedSocket {
    enum Phase {
        case fresh
        case bound
        case listening
        case connecting
        case connected
        /// Nothing comes or goes any more: reset, or ended in both directions, or never connected.
        case dead
    }

    /// Its name in traces.
    let number: Int
    let isUnix: Bool
    /// One end of a pipe: bytes go one way, and nothing is ever reset.
    var isPipe = false
    var phase = Phase.fresh
    /// Somebody holds it; otherwise the kernel sees it to its end alone.
    var isHeld = true
    var local: SocketAddress?
    var remote: SocketAddress?
    var peer: SimulatedSocket?

    // Options.
    var options: [SocketOption.Key: SocketOption] = [:]
    var sharesPort = false
    var resetsOnClose = false
    var permissions: FilePermissions?

    // Datagrams.
    /// It carries datagrams; `inTransit` counts what it sends.
    var isDatagram = false
    /// Those that have come, the oldest first.
    var datagrams: [SimulatedDatagram] = []

    // Input.
    var input = ByteQueue()
    var inputCapacity: Int
    /// The peer's bytes that are under way.
    var inTransit = 0
    /// The peer has ended; the end stands behind `input`.
    var hasEnd = false
    /// Told once, after the input.
    var error: Errno?
    var isReset = false
    /// Nothing is taken in any more.
    var isInputShut = false
    /// Nothing that this end sends arrives before this.
    var lastArrival: UInt64 = 0

    // Output.
    var output = ByteQueue()
    var outputCapacity: Int
    var isOutputShut = false
    var isEndSent = false
    var acknowledged: UInt64 = 0
    var isTransmitting = false

    /// Sends without a copy whose bytes the peer has not acknowledged, and where in the stream they end.
    var pinned: [(operation: SimulatedOperation, end: UInt64)] = []

    // A listener.
    var backlog = 0
    var queue: [SimulatedSocket] = []

    // Operations.
    /// Those whose terminal completion no loop has reaped.
    var operations: [SimulatedOperation] = []
    /// Those that wait for input, a connection or the end.
    var readers: [SimulatedOperation] = []
    /// Those that wait for room.
    var writers: [SimulatedOperation] = []

    init(number: Int, isUnix: Bool, inputCapacity: Int, outputCapacity: Int) {
        self.number = number
        self.isUnix = isUnix
        self.inputCapacity = inputCapacity
        self.outputCapacity = outputCapacity
    }

    /// What the peer may still send before the input is full.
    var window: Int { max(0, inputCapacity - input.count - inTransit) }

    /// How much a send may hand over; on a Unix socket the peer's input is all there is.
    var room: Int {
        if isUnix { return peer?.window ?? 0 }
        return max(0, outputCapacity - unacknowledged)
    }

    /// What was handed over and has not arrived.
    var unacknowledged: Int { output.count + (peer?.inTransit ?? 0) }

    /// A receive would be answered.
    var isReadable: Bool {
        !input.isEmpty || !datagrams.isEmpty || hasEnd || error != nil || isReset || isInputShut
            || !queue.isEmpty
            || phase == .dead
    }

    /// A send would be answered.
    var isWritable: Bool { phase != .connected || isReset || isOutputShut || room > 0 }
}
