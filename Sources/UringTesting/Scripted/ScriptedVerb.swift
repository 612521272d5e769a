package import UringEngine

/// What a loop asked a `ScriptedDriver` to do, as a value: the verb with its arguments.
///
/// Bytes are those that the memory held when the operation was prepared.
///
/// > Thread: Any thread.
package enum ScriptedVerb: Hashable, Sendable {
    /// `accept` on a listener.
    case accept(Descriptor)
    /// `connect` to an address.
    case connect(Descriptor, to: SocketAddress)
    /// `receive` into provided buffers.
    case receive(Descriptor, byteBudget: Int, waitForReadiness: Bool)
    /// `send` of one run.
    case send(Descriptor, bytes: [UInt8])
    /// `sendZeroCopy` of one run.
    case sendZeroCopy(Descriptor, bytes: [UInt8])
    /// `sendMessage` of several runs, in their order.
    case sendMessage(Descriptor, runs: [[UInt8]])
    /// `discard` of received bytes.
    case discard(Descriptor, byteCount: Int)
    /// `poll` for readiness.
    case poll(Descriptor, events: PollEvents, isMultishot: Bool)
    /// `receiveMessage` into provided buffers, with room for so much sender and control data.
    case receiveMessage(Descriptor, layout: MessageLayout, waitForReadiness: Bool)
    /// `perform` of a request, on an open file where there is one.
    case file(Descriptor?, ScriptedFileVerb)
    /// `readStream` into provided buffers.
    case readStream(Descriptor, byteBudget: Int, isMultishot: Bool)
    /// `writeStream` of one run.
    case writeStream(Descriptor, bytes: [UInt8])
    /// `cancel` of another operation.
    case cancel(target: OperationToken)

    /// The kernel's budget of a verb that takes bytes in; zero for a read, which has none.
    var inputBudget: Int? {
        switch self {
        case .receive(_, let byteBudget, _): byteBudget
        case .readStream: 0
        case .accept, .connect, .send, .sendZeroCopy, .sendMessage, .discard, .poll,
            .receiveMessage,
            .file, .cancel, .writeStream:
            nil
        }
    }

    /// The kind that the operation's token must carry.
    package var kind: OperationKind {
        switch self {
        case .accept: .accept
        case .connect: .connect
        case .receive: .receive
        case .send, .sendZeroCopy, .sendMessage: .send
        case .discard: .discard
        case .poll: .poll
        case .receiveMessage: .receiveMessage
        case .file(_, .open): .openFile
        case .file: .file
        case .readStream: .readStream
        case .writeStream: .writeStream
        case .cancel: .cancel
        }
    }

    /// The descriptor it is on; nil for a cancel, and for what is asked of a path.
    package var descriptor: Descriptor? {
        switch self {
        case .file(let descriptor, _): descriptor
        case .accept(let descriptor), .connect(let descriptor, _), .receive(let descriptor, _, _),
            .send(let descriptor, _), .sendZeroCopy(let descriptor, _),
            .sendMessage(let descriptor, _), .discard(let descriptor, _),
            .poll(let descriptor, _, _), .receiveMessage(let descriptor, _, _),
            .readStream(let descriptor, _, _), .writeStream(let descriptor, _):
            descriptor
        case .cancel: nil
        }
    }

    /// All bytes that it sends, run after run; empty for a verb that sends none.
    package var bytes: [UInt8] {
        switch self {
        case .send(_, let bytes), .sendZeroCopy(_, let bytes), .writeStream(_, let bytes): bytes
        case .sendMessage(_, let runs): Array(runs.joined())
        case .file(_, .write(let bytes, _)): bytes
        case .file: []
        case .accept, .connect, .receive, .discard, .poll, .receiveMessage, .readStream, .cancel: []
        }
    }
}
