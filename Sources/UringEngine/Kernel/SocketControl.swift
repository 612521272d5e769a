/// The verbs of the seam that answer at once: on sockets, and on the files of Unix sockets.
///
/// They need no loop. What outlives one, such as a listener that several share, asks
/// `SystemSockets`.
///
/// > Thread: A driver's are on-loop only, as its other verbs; those of `SystemSockets` any thread's.
package protocol SocketControl {
    // MARK: Sockets

    /// Opens a stream socket of the address's family, close-on-exec and non-blocking.
    func openStreamSocket(for address: SocketAddress) throws(IOError) -> Descriptor
    /// Binds a socket.
    func bind(_ descriptor: Descriptor, to address: SocketAddress) throws(IOError)
    /// Makes a socket a listener.
    func listen(on descriptor: Descriptor, backlog: Int) throws(IOError)
    /// Sets an option.
    func setOption(_ option: SocketOption, on descriptor: Descriptor) throws(IOError)
    /// Reads an option.
    func option(_ key: SocketOption.Key, of descriptor: Descriptor) throws(IOError) -> SocketOption
    /// The socket's own address.
    func localAddress(of descriptor: Descriptor) throws(IOError) -> SocketAddress
    /// The peer's address.
    func peerAddress(of descriptor: Descriptor) throws(IOError) -> SocketAddress
    /// Ends one direction of a socket at once (shutdown(2); 4 µs, a ring's own takes 87 µs and a
    /// worker).
    func shutdown(_ descriptor: Descriptor, _ direction: ShutdownDirection) -> Errno?
    /// Ends a TCP connection at once, with a reset, and drops what the kernel still holds to send
    /// (connect(2) to AF_UNSPEC); the descriptor stays open.
    func disconnect(_ descriptor: Descriptor)
    /// How much the peer has still to take.
    func outputState(of descriptor: Descriptor) -> OutputState
    /// The CPU that handled the socket's last packet (SO_INCOMING_CPU, Linux 3.19); nil where the kernel
    /// does not tell.
    func incomingCPU(of descriptor: Descriptor) -> Int?
    /// Closes a descriptor on which nothing is in flight.
    func close(_ descriptor: Descriptor)

    // MARK: Datagrams

    /// Opens a datagram socket of the address's family, close-on-exec and non-blocking.
    ///
    /// `connectAtOnce` connects it: no peer is asked.
    func openDatagramSocket(for address: SocketAddress) throws(IOError) -> Descriptor

    // MARK: Unix sockets

    /// Connects a Unix socket: that never waits for the peer, and needs no operation.
    ///
    /// - Throws: EAGAIN while the listener's queue is full; ECONNREFUSED, ENOENT, EACCES and others
    ///   of connect(2).
    func connectAtOnce(_ descriptor: Descriptor, to address: SocketAddress) throws(IOError)
    /// Chooses the permissions that bind(2) will give the socket's file, less the umask.
    func setPermissions(
        _ permissions: FilePermissions,
        of descriptor: Descriptor
    ) throws(IOError)
    /// Sets the permissions of the file at a Unix address, if it is this one still.
    ///
    /// - Throws: ENOENT when it is another by now.
    func setPermissions(
        _ permissions: FilePermissions,
        of file: FileIdentity,
        at address: SocketAddress
    ) throws(IOError)
    /// What lies at a Unix address, symbolic links not followed; nil when nothing does.
    func fileStatus(at address: SocketAddress) throws(IOError) -> FileStatus?
    /// Whether a socket of any process is bound to the file at a Unix address, listening or not.
    ///
    /// - Throws: EACCES and others, when the kernel does not tell.
    func isBound(_ address: SocketAddress) throws(IOError) -> Bool
    /// Takes the name of a Unix address away (unlink(2)).
    func unlink(_ address: SocketAddress) throws(IOError)
}
