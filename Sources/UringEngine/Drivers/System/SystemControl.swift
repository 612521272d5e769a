internal import CUring
internal import Glibc

/// Whoever answers the control verbs with plain system calls.
///
/// > Thread: As `SocketControl`.
package protocol SystemControl: SocketControl, StreamControl {}

/// The control verbs without a driver: for sockets that belong to no loop.
///
/// > Thread: Any thread.
package struct SystemSockets: SystemControl {
    /// Holds nothing.
    package init() {}
}

// Safety: every system call here uses the memory it is given during the call only.
extension SystemControl {
    /// Opens a stream socket, close-on-exec and non-blocking.
    package func openStreamSocket(for address: SocketAddress) throws(IOError) -> Descriptor {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let result = socket(address.family, type, 0)
        guard result >= 0 else {
            throw IOError(.openSocket, errno: .current, detail: address.description)
        }
        return Descriptor(rawValue: result)
    }

    /// Binds a socket (bind(2)).
    package func bind(_ descriptor: Descriptor, to address: SocketAddress) throws(IOError) {
        let failure = try unsafe call(with: address) {
            unsafe Glibc.bind(descriptor.rawValue, $0, $1)
        }
        guard let failure else { return }
        throw IOError(.bind, descriptor: descriptor, errno: failure, detail: address.description)
    }

    /// Connects a Unix socket (connect(2)).
    package func connectAtOnce(
        _ descriptor: Descriptor,
        to address: SocketAddress
    ) throws(IOError) {
        let failure = try unsafe call(with: address) {
            unsafe Glibc.connect(descriptor.rawValue, $0, $1)
        }
        guard let failure else { return }
        throw IOError(.connect, descriptor: descriptor, errno: failure, detail: "\(address)")
    }

    /// Hands the kernel's form of an address to a system call.
    ///
    /// - Returns: why it failed, or nil.
    func call(
        with address: SocketAddress,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws(IOError) -> Errno? {
        var form = cu_address()
        try address.store(in: &form)
        let result = unsafe withUnsafePointer(to: form.storage) { storage in
            unsafe storage.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe body($0, form.length)
            }
        }
        return result == 0 ? nil : .current
    }

    /// Makes a socket a listener (listen(2)).
    package func listen(on descriptor: Descriptor, backlog: Int) throws(IOError) {
        guard Glibc.listen(descriptor.rawValue, Int32(clamping: backlog)) == 0 else {
            throw IOError(.listen, descriptor: descriptor, errno: .current)
        }
    }

    /// The socket's own address (getsockname(2)).
    package func localAddress(of descriptor: Descriptor) throws(IOError) -> SocketAddress {
        try unsafe address(of: descriptor) { unsafe getsockname($0, $1, $2) }
    }

    /// The peer's address (getpeername(2)).
    package func peerAddress(of descriptor: Descriptor) throws(IOError) -> SocketAddress {
        try unsafe address(of: descriptor) { unsafe getpeername($0, $1, $2) }
    }

    /// Ends one direction of a socket at once (shutdown(2)).
    package func shutdown(_ descriptor: Descriptor, _ direction: ShutdownDirection) -> Errno? {
        let how =
            switch direction {
            case .output: Int32(SHUT_WR)
            case .both: Int32(SHUT_RDWR)
            }
        return Glibc.shutdown(descriptor.rawValue, how) == 0 ? nil : .current
    }

    /// Ends a TCP connection at once, with a reset; nothing to do where there is none.
    package func disconnect(_ descriptor: Descriptor) {
        _ = cu_disconnect(descriptor.rawValue)
    }

    /// How much the peer has still to take (SIOCOUTQ, tcpi_bytes_acked).
    package func outputState(of descriptor: Descriptor) -> OutputState {
        let unsent = cu_unsent_bytes(descriptor.rawValue)
        let acknowledged = cu_acknowledged_bytes(descriptor.rawValue)
        return OutputState(
            unacknowledgedBytes: unsent < 0 ? nil : Int(unsent),
            acknowledgedBytes: acknowledged < 0 ? nil : UInt64(acknowledged)
        )
    }

    /// The CPU that handled the socket's last packet.
    package func incomingCPU(of descriptor: Descriptor) -> Int? {
        let cpu = cu_incoming_cpu(descriptor.rawValue)
        return cpu < 0 ? nil : Int(cpu)
    }

    /// Closes a descriptor on which nothing is in flight.
    package func close(_ descriptor: Descriptor) {
        // Nothing can be done about a failure: on Linux the number is free again whatever close(2)
        // says.
        _ = cu_close(descriptor.rawValue)
    }

    static func failure(_ result: Int32) -> Errno? {
        result < 0 ? Errno(result: result) : nil
    }

    private func address(
        of descriptor: Descriptor,
        _ read: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) throws(IOError) -> SocketAddress {
        var form = cu_address()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = unsafe withUnsafeMutablePointer(to: &form.storage) { storage in
            unsafe storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe read(descriptor.rawValue, address, &length)
            }
        }
        form.length = length
        guard result == 0 else {
            throw IOError(.readAddress, descriptor: descriptor, errno: .current)
        }
        guard let address = SocketAddress(form) else {
            throw IOError(
                .readAddress,
                descriptor: descriptor,
                reason: .invalidArgument,
                detail: "address family \(form.storage.ss_family)"
            )
        }
        return address
    }
}
