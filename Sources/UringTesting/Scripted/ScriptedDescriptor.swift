package import UringEngine

/// What a `ScriptedDriver` knows of one of its descriptors.
///
/// > Thread: Any thread.
package struct ScriptedDescriptor: Hashable, Sendable {
    /// Where it stands.
    package internal(set) var state: ScriptedDescriptorState
    /// Its own address, once it has one.
    package internal(set) var localAddress: SocketAddress?
    /// The peer's address, once it has one.
    package internal(set) var peerAddress: SocketAddress?
    /// The widest direction that was shut down.
    package internal(set) var shutDown: ShutdownDirection?
    /// The options set on it, in order.
    package internal(set) var options: [SocketOption] = []
    /// What the file gets that a bind makes, before the umask.
    var permissions: FilePermissions?
    /// What `outputState` answers when a test chose it.
    var outputState: OutputState?
    /// What it is to a stream that adopts it.
    var end: StreamEnd?

    init(
        state: ScriptedDescriptorState,
        localAddress: SocketAddress? = nil,
        peerAddress: SocketAddress? = nil
    ) {
        self.state = state
        self.localAddress = localAddress
        self.peerAddress = peerAddress
    }
}

/// The stations of a scripted descriptor.
///
/// > Thread: Any thread.
package enum ScriptedDescriptorState: Hashable, Sendable {
    /// A socket that nothing was done with.
    case open
    /// It has an address of its own.
    case bound
    /// It is a listener.
    case listening
    /// It has a peer.
    case connected
    /// It was closed.
    case closed
}
