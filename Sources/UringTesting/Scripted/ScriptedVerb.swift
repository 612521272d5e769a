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
    /// `cancel` of another operation.
    case cancel(target: OperationToken)

    /// The kind that the operation's token must carry.
    package var kind: OperationKind {
        switch self {
        case .accept: .accept
        case .connect: .connect
        case .receive: .receive
        case .send, .sendZeroCopy, .sendMessage: .send
        case .discard: .discard
        case .poll: .poll
        case .cancel: .cancel
        }
    }

    /// The descriptor it is on; nil for a cancel.
    package var descriptor: Descriptor? {
        switch self {
        case .accept(let descriptor), .connect(let descriptor, _), .receive(let descriptor, _, _),
            .send(let descriptor, _), .sendZeroCopy(let descriptor, _),
            .sendMessage(let descriptor, _), .discard(let descriptor, _),
            .poll(let descriptor, _, _):
            descriptor
        case .cancel: nil
        }
    }

    /// All bytes that it sends, run after run; empty for a verb that sends none.
    package var bytes: [UInt8] {
        switch self {
        case .send(_, let bytes), .sendZeroCopy(_, let bytes): bytes
        case .sendMessage(_, let runs): Array(runs.joined())
        case .accept, .connect, .receive, .discard, .poll, .cancel: []
        }
    }
}
