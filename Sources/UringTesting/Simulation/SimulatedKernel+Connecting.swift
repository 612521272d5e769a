internal import Glibc
import UringEngine

/// Connections in the making.
extension SimulatedKernel {
    private static let triesMax = 7
    private static let retryNanoseconds: UInt64 = 1_000_000_000
    private static let lostNanoseconds: UInt64 = 127_000_000_000

    /// Sends the first packet of a connect.
    func startConnect(_ socket: SimulatedSocket, to address: SocketAddress) {
        socket.phase = .connecting
        socket.remote = address
        socket.local =
            socket.local ?? SocketAddress.ipv4(0x7F00_0001, port: 0).with(port: givePort())
        if random.happens(faults.lostConnects) {
            return after(Self.lostNanoseconds, .connectFailed(socket, ETIMEDOUT))
        }
        after(delay(), .handshake(socket, try: 0))
    }

    /// The first packet arrives: one of those that listen there takes it.
    func handshake(_ socket: SimulatedSocket, try count: Int) {
        guard socket.phase == .connecting, let address = socket.remote else { return }
        let listeners = listeners(at: address)
        guard !listeners.isEmpty, !random.happens(faults.refusedConnects) else {
            return after(delay(), .connectFailed(socket, ECONNREFUSED))
        }
        // As SO_REUSEPORT does, by a hash of the addresses.
        let listener = random.pick(listeners)
        guard listener.queue.count < max(1, listener.backlog) else {
            // The packet is dropped, and sent again after a second, then two, then four.
            guard count < Self.triesMax else {
                return after(delay(), .connectFailed(socket, ETIMEDOUT))
            }
            return after(Self.retryNanoseconds << UInt64(count), .handshake(socket, try: count + 1))
        }
        accept(socket, by: listener)
        after(delay(), .established(socket))
    }

    /// Makes the other end, and lets it wait to be accepted.
    func accept(_ socket: SimulatedSocket, by listener: SimulatedSocket) {
        let other = makeSocket(isUnix: socket.isUnix)
        other.local = socket.isUnix ? listener.local : socket.remote
        other.remote = socket.local
        join(socket, other)
        trace.add(.handshake, shard: -1, clock: clock, (socket.number, other.number, 0), "meet")
        listener.queue.append(other)
        wakeReaders(of: listener)
        // The client does not know yet; until then it sends nothing.
        if !socket.isUnix { socket.phase = .connecting }
    }

    func established(_ socket: SimulatedSocket) {
        guard socket.phase == .connecting else { return }
        socket.phase = .connected
        wakeWriters(of: socket)
    }

    func connectFailed(_ socket: SimulatedSocket, _ errno: Int32) {
        guard socket.phase == .connecting else { return }
        socket.phase = .dead
        socket.error = Errno(rawValue: errno)
        wakeWriters(of: socket)
    }

    /// connect(2) of a Unix socket.
    func connectAtOnce(
        _ socket: SimulatedSocket,
        to address: SocketAddress
    ) -> Errno? {
        guard let listener = listeners(at: address).first else {
            let isAbstract = address.unixPath == nil
            return isAbstract || files[address] != nil ? .connectionRefused : .notFound
        }
        guard listener.queue.count <= listener.backlog else { return .again }
        socket.remote = address
        socket.local = socket.local ?? .unix([])
        accept(socket, by: listener)
        return nil
    }
}
