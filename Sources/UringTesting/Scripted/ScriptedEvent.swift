package import UringEngine

/// One line of a `ScriptedDriver`'s journal, in which everything that crossed the seam stands in
/// order.
///
/// > Thread: Any thread.
package enum ScriptedEvent: Hashable, Sendable {
    /// The pool's memory was adopted.
    case adopted(bufferCount: Int)
    /// A buffer was provided.
    case provided(BufferID)
    /// So many provided buffers were published.
    case published(count: Int)
    /// An operation was asked for.
    case prepared(OperationToken)
    /// An operation was given to the kernel.
    case handedOver(OperationToken)
    /// A completion was queued.
    case answered(OperationToken, result: Int32, isTerminal: Bool)
    /// A socket was opened.
    case openedSocket(Descriptor, for: SocketAddress)
    /// A socket was bound; a port of zero stands here as the port it became.
    case bound(Descriptor, to: SocketAddress)
    /// A Unix socket was connected without an operation.
    case connected(Descriptor, to: SocketAddress)
    /// The permissions of a socket's file to be were chosen.
    case permissionsSet(Descriptor, FilePermissions)
    /// The permissions of a file were changed.
    case filePermissionsSet(SocketAddress, FilePermissions)
    /// A file's name was taken away.
    case unlinked(SocketAddress)
    /// A socket was made a listener.
    case listened(Descriptor, backlog: Int)
    /// An option was set.
    case optionSet(Descriptor, SocketOption)
    /// A direction was ended.
    case shutDown(Descriptor, ShutdownDirection)
    /// A connection was ended at once.
    case disconnected(Descriptor)
    /// A descriptor was closed.
    case closed(Descriptor)
    /// A control call failed, by script or by the descriptor's state.
    case refused(ScriptedCall, Errno)
    /// The driver was shut down; so many operations stayed with the kernel.
    case ended(stuckOperations: Int)

    /// The descriptor that a successful control call was on; nil for every other event.
    package var descriptor: Descriptor? {
        switch self {
        case .openedSocket(let descriptor, _), .bound(let descriptor, _),
            .listened(let descriptor, _), .optionSet(let descriptor, _),
            .shutDown(let descriptor, _), .disconnected(let descriptor), .closed(let descriptor),
            .connected(let descriptor, _), .permissionsSet(let descriptor, _):
            descriptor
        case .adopted, .provided, .published, .prepared, .handedOver, .answered, .refused, .ended,
            .filePermissionsSet, .unlinked:
            nil
        }
    }
}

/// A call that can be made to fail by `failNext`.
///
/// > Thread: Any thread.
package enum ScriptedCall: Hashable, Sendable {
    /// `adopt`.
    case adopt
    /// `openStreamSocket`.
    case openSocket
    /// `bind`.
    case bind
    /// `connectAtOnce`.
    case connectAtOnce
    /// `setPermissions` of a socket.
    case setPermissions
    /// `setPermissions` of a file.
    case setFilePermissions
    /// `fileStatus`.
    case fileStatus
    /// `isBound`.
    case isBound
    /// `unlink`.
    case unlink
    /// `listen`.
    case listen
    /// `setOption`.
    case setOption
    /// `localAddress`.
    case localAddress
    /// `peerAddress`.
    case peerAddress
    /// `shutdown`.
    case shutdown
    /// `submitAndWait`.
    case wait
    /// `openPipe`.
    case openPipe
    /// `takeEnd`.
    case takeEnd
    /// `checkPollable`.
    case checkPollable

    /// The operation that the error names.
    var operation: IOError.Operation {
        switch self {
        case .adopt: .registerBuffers
        case .openSocket: .openSocket
        case .bind, .localAddress: .bind
        case .listen: .listen
        case .setOption: .setOption
        case .connectAtOnce, .peerAddress: .connect
        case .setPermissions, .setFilePermissions: .setPermissions
        case .fileStatus, .isBound: .inspectFile
        case .unlink: .removeFile
        case .shutdown: .shutdown
        case .wait: .wait
        case .openPipe: .openPipe
        case .takeEnd: .adoptDescriptor
        case .checkPollable: .poll
        }
    }
}
