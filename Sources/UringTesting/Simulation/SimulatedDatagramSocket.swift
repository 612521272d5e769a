public import UringEngine

/// A datagram socket on another machine as it were: no loop of the server's drives it.
///
/// Calls that wait let the simulation run meanwhile.
///
/// > Thread: The simulation's.
public final class SimulatedDatagramSocket {
    private unowned let simulation: Simulation
    private let socket: SimulatedSocket
    private var kernel: SimulatedKernel { simulation.kernel }

    init(simulation: Simulation, address: SocketAddress) {
        self.simulation = simulation
        let kernel = simulation.kernel
        socket = kernel.makeSocket(isUnix: StreamKind(address) == .unix)
        socket.isDatagram = true
        socket.phase = .bound
        socket.local = address.port == 0 ? address.with(port: kernel.givePort()) : address
    }

    /// Where it is.
    public var address: SocketAddress { socket.local ?? .unix([]) }

    /// Sends one datagram.
    ///
    /// - Throws: what sendto(2) says: EAGAIN while too much is under way, EMSGSIZE.
    public func send(_ bytes: [UInt8], to target: SocketAddress) throws {
        guard let errno = kernel.send(bytes, from: socket, to: target) else { return }
        throw IOError(.send, errno: errno, detail: "\(target)")
    }

    /// Takes the first datagram that has come; nil when none has.
    public func tryReceive() -> (bytes: [UInt8], sender: SocketAddress?)? {
        guard !socket.datagrams.isEmpty else { return nil }
        let datagram = socket.datagrams.removeFirst()
        return (datagram.bytes, datagram.sender)
    }

    /// Waits for a datagram.
    ///
    /// - Throws: `SimulationFailure` when none will come.
    public func receive() throws -> (bytes: [UInt8], sender: SocketAddress?) {
        while true {
            if let datagram = tryReceive() { return datagram }
            try simulation.run(until: { !socket.datagrams.isEmpty }, "a datagram comes")
        }
    }

    /// Closes: what comes from now on is refused.
    public func close() {
        guard socket.isHeld else { return }
        kernel.release(socket)
    }
}

extension Simulation {
    /// Opens a datagram socket outside of the server; port 0 takes a free one.
    public func datagramSocket(
        at address: SocketAddress = .ipv4(0x7F00_0001, port: 0)
    ) -> SimulatedDatagramSocket {
        SimulatedDatagramSocket(simulation: self, address: address)
    }
}
