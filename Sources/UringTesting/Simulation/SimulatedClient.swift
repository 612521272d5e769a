internal import Glibc
public import UringEngine

/// A client of a simulated server, on another machine as it were: no loop of the server's drives it.
///
/// Calls that wait let the simulation run meanwhile.
///
/// > Thread: The simulation's.
public final class SimulatedClient {
    private let number: Int
    private unowned let simulation: Simulation
    private let socket: SimulatedSocket
    private var kernel: SimulatedKernel { simulation.kernel }
    /// Why there is no connection; nil while that may still come.
    public var connectError: Errno? {
        socket.isHeld && socket.phase == .dead ? socket.error : failure
    }
    private var failure: Errno?

    init(number: Int, simulation: Simulation, address: SocketAddress) {
        self.number = number
        self.simulation = simulation
        let kernel = simulation.kernel
        socket = kernel.makeSocket(isUnix: StreamKind(address) == .unix)
        note("connects", 0)
        guard socket.isUnix else {
            kernel.startConnect(socket, to: address)
            return
        }
        failure = kernel.connectAtOnce(socket, to: address)
        if failure != nil { kernel.release(socket) }
    }

    private func note(_ text: StaticString, _ count: Int) {
        simulation.kernel.trace.add(
            .client,
            shard: -1,
            clock: simulation.kernel.clock,
            (number, count, 0),
            text
        )
    }

    // MARK: Facts

    /// The connection stands, or has stood.
    public var isConnected: Bool { socket.phase == .connected }

    /// The server ended its side, and everything it sent was received.
    public var hasEnded: Bool { socket.input.isEmpty && socket.hasEnd && socket.error == nil }

    /// The connection was reset, and everything that came before was received.
    public var wasReset: Bool { socket.input.isEmpty && (socket.isReset || socket.error != nil) }

    // MARK: Without waiting

    /// Sends as much as there is room for.
    ///
    /// - Returns: how many of the bytes were taken; zero when there is no room, or after the end.
    @discardableResult
    public func trySend(_ bytes: some Collection<UInt8>) -> Int {
        guard isConnected, !socket.isReset, !socket.isOutputShut else { return 0 }
        let taken = Array(bytes.prefix(socket.room))
        guard !taken.isEmpty else { return 0 }
        note("sends", taken.count)
        kernel.push(taken, from: socket)
        return taken.count
    }

    /// Takes what has come, at most `countMax` bytes.
    ///
    /// - Returns: nothing when nothing has come, or ever will.
    public func tryReceive(_ countMax: Int = .max) -> [UInt8] {
        guard !socket.input.isEmpty else { return [] }
        let bytes = socket.input.take(countMax)
        note("receives", bytes.count)
        kernel.inputTaken(from: socket)
        return bytes
    }

    // MARK: Waiting

    /// Sends all of the bytes.
    ///
    /// - Throws: `IOError` of `.send` when the connection ends before; `SimulationFailure`.
    public func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            sent += trySend(bytes[sent...])
            guard sent < bytes.count else { return }
            try simulation.run(until: { socket.isWritable || !isConnected }, "a client can send")
            if socket.isReset { throw IOError(.send, errno: .connectionReset) }
            if socket.isOutputShut || !isConnected { throw IOError(.send, errno: .brokenPipe) }
        }
    }

    /// Waits for bytes and takes what has come.
    ///
    /// - Returns: at least one byte; nil at the end of the stream.
    /// - Throws: `IOError` of `.receive` when the connection was reset; `SimulationFailure`.
    public func receive(atMost countMax: Int = .max) throws -> [UInt8]? {
        try simulation.run(until: { socket.isReadable }, "a client receives something")
        let bytes = tryReceive(countMax)
        if !bytes.isEmpty { return bytes }
        if wasReset { throw IOError(.receive, errno: .connectionReset) }
        return nil
    }

    /// Waits for exactly `count` bytes.
    ///
    /// - Throws: `IOError` of `.receive` when the connection ends before, saying how many came.
    public func receive(exactly count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            guard let more = try receive(atMost: count - bytes.count) else {
                throw IOError(
                    .receive,
                    reason: .peerGone,
                    detail: "the stream ended after \(bytes.count) of \(count) bytes"
                )
            }
            bytes += more
        }
        return bytes
    }

    /// Waits for the end of the stream, and takes everything before it.
    ///
    /// - Throws: as `receive(atMost:)`.
    public func receiveToEnd() throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let more = try receive() { bytes += more }
        return bytes
    }

    // MARK: Ending

    /// Ends the client's side of the stream; it can still receive.
    public func finish() {
        guard isConnected, !socket.isOutputShut else { return }
        note("finishes", 0)
        kernel.shutDown(socket, .output)
    }

    /// Closes: what was sent still arrives, unless something that the server sent was not received;
    /// then the server sees a reset, as of a real socket.
    public func close() {
        guard socket.isHeld else { return }
        note("closes", 0)
        kernel.release(socket)
    }

    /// Resets the connection.
    public func reset() {
        guard socket.isHeld else { return }
        note("resets", 0)
        socket.resetsOnClose = true
        kernel.release(socket)
    }
}
