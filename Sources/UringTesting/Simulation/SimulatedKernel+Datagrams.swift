internal import Glibc
import UringEngine

/// A datagram that waits at its receiver.
struct SimulatedDatagram {
    let bytes: [UInt8]
    /// Nil is a Unix sender without a name.
    let sender: SocketAddress?

    /// What it takes of the receiver's room: an empty one takes some too.
    var byteCount: Int { bytes.count + 32 }
}

/// A datagram that is under way.
struct SimulatedFlight {
    let datagram: SimulatedDatagram
    let target: SocketAddress
    /// To be told when nobody is there.
    let origin: SimulatedSocket
}

/// Datagrams: lost, doubled, and overtaken where the seed says so.
extension SimulatedKernel {
    /// What IPv4 has room for in one datagram.
    static let datagramBytesMax = 65_507

    // MARK: Sending

    /// sendto(2), without waiting.
    func send(
        _ bytes: [UInt8],
        from socket: SimulatedSocket,
        to address: SocketAddress?
    ) -> Errno? {
        if let error = socket.error {
            socket.error = nil
            return error
        }
        guard let target = address ?? socket.remote else { return Errno(rawValue: EDESTADDRREQ) }
        guard bytes.count <= Self.datagramBytesMax else { return Errno(rawValue: EMSGSIZE) }
        return socket.isUnix
            ? sendLocally(bytes, from: socket, to: target)
            : sendAway(bytes, from: socket, to: target)
    }

    /// Unix datagrams arrive at once, in order, or not at all.
    private func sendLocally(
        _ bytes: [UInt8],
        from socket: SimulatedSocket,
        to target: SocketAddress
    ) -> Errno? {
        guard let receiver = receivers(at: target, from: socket.local).first else {
            let isThere = target.unixPath == nil || files[target] != nil
            return isThere ? .connectionRefused : .notFound
        }
        let datagram = SimulatedDatagram(bytes: bytes, sender: socket.local)
        guard receiver.hasRoom(for: datagram) else { return .again }
        take(datagram, at: receiver)
        return nil
    }

    private func sendAway(
        _ bytes: [UInt8],
        from socket: SimulatedSocket,
        to target: SocketAddress
    ) -> Errno? {
        if socket.local == nil {
            socket.local = SocketAddress.ipv4(0x7F00_0001, port: 0).with(port: givePort())
        }
        let datagram = SimulatedDatagram(bytes: bytes, sender: socket.local?.asSender)
        guard
            socket.inTransit + datagram.byteCount <= socket.outputCapacity || socket.inTransit == 0
        else { return .again }
        let flight = SimulatedFlight(datagram: datagram, target: target, origin: socket)
        let copies = random.happens(faults.doubledDatagrams) ? 2 : 1
        for _ in 0..<copies {
            socket.inTransit += datagram.byteCount
            events.add(at: arrivalOfDatagram(from: socket), .datagram(flight))
        }
        return nil
    }

    private func arrivalOfDatagram(from socket: SimulatedSocket) -> UInt64 {
        if random.happens(faults.overtakenDatagrams) { return clock &+ delay() &+ delay() }
        socket.lastArrival = max(socket.lastArrival, clock &+ delay())
        return socket.lastArrival
    }

    // MARK: Arriving

    /// A datagram comes to the end of its way.
    func arrive(_ flight: SimulatedFlight) {
        flight.origin.inTransit -= flight.datagram.byteCount
        wakeWriters(of: flight.origin)
        if random.happens(faults.lostDatagrams) { return noteDatagram(flight, "lost") }
        let receivers = receivers(at: flight.target, from: flight.datagram.sender)
        guard let first = receivers.first else { return refuse(flight) }
        // As SO_REUSEPORT does, by a hash of the addresses: one sender's always at the same socket.
        let port = Int(flight.datagram.sender?.port ?? 0)
        let receiver = receivers.count > 1 ? receivers[port % receivers.count] : first
        // What there is no room for is dropped, as by the kernel.
        guard receiver.hasRoom(for: flight.datagram) else {
            return noteDatagram(flight, "dropped")
        }
        noteDatagram(flight, "arrives")
        take(flight.datagram, at: receiver)
    }

    private func noteDatagram(_ flight: SimulatedFlight, _ text: StaticString) {
        let count = flight.datagram.bytes.count
        trace.add(.segment, shard: -1, clock: clock, (flight.origin.number, count, 0), text)
    }

    private func take(_ datagram: SimulatedDatagram, at receiver: SimulatedSocket) {
        receiver.datagrams.append(datagram)
        wakeReaders(of: receiver)
    }

    /// Nobody is there: a connected sender is told, some time later.
    private func refuse(_ flight: SimulatedFlight) {
        let origin = flight.origin
        noteDatagram(flight, "refused")
        guard origin.remote != nil, origin.isHeld else { return }
        after(
            delay(),
            .call { [unowned self] in
                guard origin.isHeld else { return }
                origin.error = .connectionRefused
                wakeReaders(of: origin)
            }
        )
    }

    /// Who gets what comes there from `sender`: those connected to it, else those that hear everybody.
    private func receivers(
        at address: SocketAddress,
        from sender: SocketAddress?
    ) -> [SimulatedSocket] {
        let bound = sockets.filter { socket in
            socket.isDatagram && socket.isHeld && (socket.local.map { $0.covers(address) } ?? false)
        }
        let connected = bound.filter { $0.remote != nil && $0.remote == sender }
        return connected.isEmpty ? bound.filter { $0.remote == nil } : connected
    }

    // MARK: Receiving

    /// Lets a receive of messages take what has come.
    func receiveMessage(
        _ operation: SimulatedOperation,
        on socket: SimulatedSocket,
        into room: SimulatedRoom,
        waitsFirst: Bool
    ) {
        if waitsFirst, !operation.hasWaited {
            operation.hasWaited = true
            guard socket.isReadable else { return socket.readers.append(operation) }
            return attemptSoon(operation)
        }
        if retryFault(operation, [EAGAIN, EINTR]) { return }
        while !operation.isOver {
            if let error = socket.error {
                socket.error = nil
                return complete(operation, -error.rawValue)
            }
            guard let datagram = socket.datagrams.first else {
                return socket.readers.append(operation)
            }
            hand(datagram, to: operation, on: socket, room)
        }
    }

    private func hand(
        _ datagram: SimulatedDatagram,
        to operation: SimulatedOperation,
        on socket: SimulatedSocket,
        _ room: SimulatedRoom
    ) {
        let isMultishot = operation.driver.capabilities.multishotReceiveMessage
        let needsBuffer = isMultishot || !datagram.bytes.isEmpty
        let buffer = needsBuffer ? operation.driver.takeBuffer() : nil
        guard buffer != nil || !needsBuffer else { return complete(operation, -ENOBUFS) }
        socket.datagrams.removeFirst()
        let count = operation.driver.bufferBytes
        let contents =
            isMultishot
            ? room.contents(of: datagram, bufferBytes: count)
            : room.fill(with: datagram, bufferBytes: count)
        if let buffer { operation.driver.fill(buffer, with: contents) }
        // An empty datagram ends a multishot receive (Linux 6.18).
        let more =
            isMultishot && !datagram.bytes.isEmpty && !random.happens(faults.endedMultishots)
        complete(operation, Int32(contents.count), more: more, buffer: buffer ?? .none)
        if socket.isUnix { for sender in sockets where sender.isUnix { wakeWriters(of: sender) } }
    }

    // MARK: Room

    /// A datagram would be taken; a Unix socket that hears everybody never knows.
    func hasRoomToSend(_ socket: SimulatedSocket) -> Bool {
        guard socket.isUnix else { return socket.inTransit * 2 < socket.outputCapacity }
        guard let target = socket.remote else { return true }
        let receiver = receivers(at: target, from: socket.local).first
        return receiver.map { $0.hasRoom(for: SimulatedDatagram(bytes: [], sender: nil)) } ?? true
    }
}

extension SimulatedSocket {
    /// The datagram fits into what the receiver may hold.
    fileprivate func hasRoom(for datagram: SimulatedDatagram) -> Bool {
        let held = datagrams.reduce(0) { $0 + $1.byteCount }
        return held == 0 || held + datagram.byteCount <= inputCapacity
    }
}

extension SocketAddress {
    /// As a receiver sees it: a socket bound to no address in particular sends from the loopback.
    fileprivate var asSender: SocketAddress {
        switch self {
        case .ipv4(0, let port): .ipv4(0x7F00_0001, port: port)
        case .ipv6(0, 0, let port, let scope): .ipv6(0, 1, port: port, scope: scope)
        case .ipv4, .ipv6, .unix: self
        }
    }
}
