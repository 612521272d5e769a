package import CUring
internal import Glibc
package import UringEngine

/// A datagram at a `ScriptedDriver`.
///
/// > Thread: Any thread.
package struct ScriptedDatagram: Hashable, Sendable {
    /// The socket that sends it.
    package let descriptor: Descriptor
    /// Its bytes.
    package let bytes: [UInt8]
    /// To whom; nil on a connected socket.
    package let address: SocketAddress?
    /// The size that it is cut into; zero for none.
    package let segmentBytes: Int
}

extension ScriptedDriver {
    /// Hands out a number, as `openStreamSocket`.
    package func openDatagramSocket(for address: SocketAddress) throws(IOError) -> Descriptor {
        try openStreamSocket(for: address)
    }

    /// Records a receive of messages.
    package func receiveMessage(
        _ token: OperationToken,
        from descriptor: Descriptor,
        message: UnsafeMutablePointer<cu_message>,
        waitForReadiness: Bool
    ) {
        // Safety: the caller keeps the header until the terminal completion.
        let header = unsafe message.pointee.header
        let layout = unsafe MessageLayout(
            nameBytes: Int(header.msg_namelen),
            controlBytes: Int(header.msg_controllen)
        )
        unsafe messageHeaders[token] = message
        prepare(
            token,
            .receiveMessage(descriptor, layout: layout, waitForReadiness: waitForReadiness)
        )
    }

    /// Takes a datagram, unless `onTrySend` says otherwise.
    package func trySend(_ datagram: OutgoingDatagram, on descriptor: Descriptor) -> Int32 {
        if descriptors.openDescriptor(descriptor) == nil { report(.usedWhileClosed(descriptor)) }
        // Safety: bytes and address are valid during the call.
        let seen = unsafe ScriptedDatagram(
            descriptor: descriptor,
            bytes: Array(datagram.bytes),
            address: datagram.address.flatMap { unsafe SocketAddress($0.pointee) },
            segmentBytes: Int(datagram.segmentBytes)
        )
        if let errno = onTrySend?(seen) { return -errno.rawValue }
        sentDatagrams.append(seen)
        return Int32(seen.bytes.count)
    }

    /// Lets a datagram come: completes the receive of messages in flight on `descriptor`.
    ///
    /// What does not fit into a buffer is cut off, as a kernel does. An empty datagram ends a multishot
    /// receive, as Linux does it, unless `isTerminal` says otherwise. Precondition: a buffer is published,
    /// but for an empty datagram of a receive that is no multishot.
    package func deliverDatagram(
        _ bytes: [UInt8],
        from sender: SocketAddress?,
        on descriptor: Descriptor,
        segmentBytes: Int? = nil,
        isTerminal: Bool? = nil
    ) {
        let operation = armed(.receiveMessage, on: descriptor)
        guard case .receiveMessage(_, let layout, _) = operation.verb else { return }
        let name = sender.map(Self.kernelForm) ?? []
        let control = segmentBytes.map(Self.segmentControl) ?? []
        guard capabilities.multishotReceiveMessage else {
            return deliverOne(bytes, (name, control), to: operation.token)
        }
        let room = (buffers.region?.bufferBytes ?? 0) - layout.payloadOffset
        let flags = bytes.count > room ? MessageHead.truncated : 0
        var contents: [UInt8] = []
        // Safety: a word's bytes are copied during the call.
        for word in [Int32(name.count), Int32(control.count), Int32(bytes.count), flags] {
            unsafe withUnsafeBytes(of: word) { unsafe contents.append(contentsOf: $0) }
        }
        contents += Self.padded(name, to: layout.nameBytes)
        contents += Self.padded(control, to: layout.controlBytes)
        contents += bytes.prefix(room)
        complete(
            operation.token,
            result: Int32(contents.count),
            isTerminal: isTerminal ?? bytes.isEmpty,
            takenBuffer: buffers.take(filledWith: contents)
        )
    }

    // Safety: the header is its operation's until the terminal completion, which this makes.
    private func deliverOne(
        _ bytes: [UInt8],
        _ head: (name: [UInt8], control: [UInt8]),
        to token: OperationToken
    ) {
        guard let message = unsafe messageHeaders.removeValue(forKey: token) else { return }
        let room = buffers.region?.bufferBytes ?? 0
        let nameCount = unsafe min(head.name.count, Int(message.pointee.header.msg_namelen))
        let controlCount = unsafe min(
            head.control.count,
            Int(message.pointee.header.msg_controllen)
        )
        unsafe message.pointee.header.msg_name?.copyMemory(
            from: head.name,
            byteCount: nameCount
        )
        unsafe message.pointee.header.msg_control?.copyMemory(
            from: head.control,
            byteCount: controlCount
        )
        unsafe message.pointee.header.msg_namelen = UInt32(head.name.count)
        unsafe message.pointee.header.msg_controllen = controlCount
        unsafe message.pointee.header.msg_flags =
            bytes.count > room ? MessageHead.truncated : 0
        guard !bytes.isEmpty else { return complete(token, result: 0) }
        let taken = Array(bytes.prefix(room))
        let buffer = buffers.take(filledWith: taken)
        complete(token, result: Int32(taken.count), takenBuffer: buffer)
    }

    private static func padded(_ bytes: [UInt8], to count: Int) -> [UInt8] {
        Array(bytes.prefix(count)) + Array(repeating: 0, count: max(0, count - bytes.count))
    }

    /// An address as the kernel writes it.
    static func kernelForm(_ address: SocketAddress) -> [UInt8] {
        var form = cu_address()
        guard (try? address.store(in: &form)) != nil else { return [] }
        let count = Int(form.length)
        // Safety: the form has as many bytes.
        return unsafe withUnsafeBytes(of: form.storage) { unsafe Array($0.prefix(count)) }
    }

    /// The control data of datagrams that the kernel has put together.
    static func segmentControl(_ segmentBytes: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        // Safety: as above.
        unsafe withUnsafeBytes(of: UInt(20)) { unsafe bytes.append(contentsOf: $0) }
        for word in [Int32(CU_UDP_LEVEL), Int32(CU_UDP_GRO), Int32(segmentBytes), 0] {
            unsafe withUnsafeBytes(of: word) { unsafe bytes.append(contentsOf: $0) }
        }
        return bytes
    }
}
