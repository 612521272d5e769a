import CUring
import UringEngine

/// Datagram sockets.
extension SimulatedDriver {
    func openDatagramSocket(for address: SocketAddress) throws(IOError) -> Descriptor {
        let socket = kernel.makeSocket(isUnix: StreamKind(address) == .unix)
        socket.isDatagram = true
        guard let descriptor = kernel.open(socket) else {
            kernel.release(socket)
            throw IOError(.openSocket, errno: .tooManyFiles, detail: "\(address)")
        }
        trace(.control, (Int(descriptor.rawValue), socket.number, 1), "socket")
        return descriptor
    }

    // Safety: the contract of `KernelDriver` keeps the message until the terminal completion.
    func receiveMessage(
        _ token: OperationToken,
        from descriptor: Descriptor,
        message: UnsafeMutablePointer<cu_message>,
        waitForReadiness: Bool
    ) {
        let room = unsafe SimulatedRoom(message)
        prepare(token, .receiveMessage(room, waitsFirst: waitForReadiness), on: descriptor)
    }

    func trySend(_ datagram: OutgoingDatagram, on descriptor: Descriptor) -> Int32 {
        guard let socket = kernel.socket(descriptor) else {
            kernel.fail(.usedWhileClosed(descriptor))
            return -Errno.badDescriptor.rawValue
        }
        // Safety: bytes and address are valid during the call.
        let bytes = unsafe Array(datagram.bytes)
        let address = unsafe datagram.address.flatMap { unsafe SocketAddress($0.pointee) }
        trace(.control, (Int(descriptor.rawValue), bytes.count, 0), "send")
        if kernel.random.happens(kernel.faults.retries) { return -Errno.again.rawValue }
        if datagram.segmentBytes > 0 {
            return sendSegments(bytes, Int(datagram.segmentBytes), from: socket, to: address)
        }
        let failure = kernel.send(bytes, from: socket, to: address)
        return failure.map { -$0.rawValue } ?? Int32(bytes.count)
    }

    /// Cuts as a kernel does; one that has no room for all of it takes what it has room for, and loses the
    /// rest, as a full queue of a device does.
    private func sendSegments(
        _ bytes: [UInt8],
        _ segmentBytes: Int,
        from socket: SimulatedSocket,
        to address: SocketAddress?
    ) -> Int32 {
        var offset = 0
        while offset < bytes.count {
            let segment = Array(bytes[offset...].prefix(segmentBytes))
            let failure = kernel.send(segment, from: socket, to: address)
            if let failure, offset == 0 { return -failure.rawValue }
            offset += segment.count
        }
        return Int32(bytes.count)
    }

    /// connect(2): no peer is asked, but a Unix one has to be there.
    func connectDatagram(_ socket: SimulatedSocket, to address: SocketAddress) -> Errno? {
        if socket.isUnix {
            let isThere = kernel.sockets.contains {
                $0.isDatagram && $0.isHeld && $0.local == address
            }
            let hasName = address.unixPath == nil || kernel.files[address] != nil
            guard isThere else { return hasName ? .connectionRefused : .notFound }
        } else if socket.local == nil {
            socket.local = SocketAddress.ipv4(0x7F00_0001, port: 0).with(port: kernel.givePort())
        }
        socket.remote = address
        return nil
    }
}
