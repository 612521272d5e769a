internal import UringEngine

/// A verb of the seam that can go wrong: the operations first, then what answers at once.
///
/// `close`, `now`, `provide` and `publish` cannot fail.
///
/// > Thread: Any thread.
package enum FaultSite: String, Hashable, Sendable, CaseIterable {
    /// `accept`.
    case accept
    /// `connect`.
    case connect
    /// `receive`.
    case receive
    /// `send` of one run.
    case send
    /// `sendMessage` of several runs.
    case sendMessage
    /// `discard`.
    case discard
    /// `poll`.
    case poll
    /// `cancel`; it is carried out all the same, only its answer is another.
    case cancel
    /// `receiveMessage`.
    case receiveMessage
    /// `trySend`; it is never carried out.
    case trySend
    /// `openDatagramSocket`.
    case openDatagramSocket
    /// `adopt`.
    case adopt
    /// `submitAndWait`; an error of it is one for good.
    case wait
    /// `openStreamSocket`.
    case openStreamSocket
    /// `bind`.
    case bind
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
    /// `outputState`: the kernel does not tell.
    case outputState
    /// `incomingCPU`: the kernel does not tell.
    case incomingCPU
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
    /// `perform` of an open.
    case openFile
    /// `perform` of a read.
    case readFile
    /// `perform` of a write.
    case writeFile
    /// `perform` of a sync, an allocation or a truncation.
    case changeFile
    /// `perform` of a query for a status.
    case inspectPath
    /// `perform` of a change of names, or of a listing.
    case changeNames
    /// `perform` of a close; it is carried out all the same, only its answer is another.
    case closeFile

    // Pipes and terminals.
    /// `readStream`.
    case readStream
    /// `writeStream`.
    case writeStream
    /// `openPipe`.
    case openPipe
    /// `takeEnd`.
    case takeEnd
    /// `checkPollable`.
    case checkPollable

    /// The verb takes a token and completes later.
    package var isOperation: Bool {
        switch self {
        case .accept, .connect, .receive, .send, .sendMessage, .discard, .poll, .cancel,
            .receiveMessage, .openFile, .readFile, .writeFile, .changeFile, .inspectPath,
            .changeNames, .closeFile, .readStream, .writeStream:
            true
        case .openPipe, .takeEnd, .checkPollable, .trySend, .openDatagramSocket, .adopt, .wait,
            .openStreamSocket, .bind, .listen, .setOption, .localAddress,
            .peerAddress, .shutdown, .outputState, .incomingCPU, .connectAtOnce, .setPermissions,
            .setFilePermissions, .fileStatus, .isBound, .unlink:
            false
        }
    }

    /// The operation that an error of the verb names.
    var operation: IOError.Operation {
        switch self {
        case .accept: .accept
        case .connect, .connectAtOnce: .connect
        case .receive, .discard, .receiveMessage: .receive
        case .send, .sendMessage, .trySend: .send
        case .poll, .cancel: .poll
        case .adopt: .registerBuffers
        case .wait: .wait
        case .openStreamSocket, .openDatagramSocket: .openSocket
        case .bind: .bind
        case .listen: .listen
        case .setOption: .setOption
        case .localAddress, .peerAddress, .outputState, .incomingCPU: .readAddress
        case .shutdown: .shutdown
        case .setPermissions, .setFilePermissions: .setPermissions
        case .fileStatus, .isBound: .inspectFile
        case .unlink: .removeFile
        case .openFile: .openFile
        case .readFile: .readFile
        case .writeFile: .writeFile
        case .changeFile: .syncFile
        case .inspectPath: .inspectFile
        case .changeNames: .renameFile
        case .closeFile: .closeFile
        case .readStream: .receive
        case .writeStream: .write
        case .openPipe: .openPipe
        case .takeEnd: .adoptDescriptor
        case .checkPollable: .poll
        }
    }
}
