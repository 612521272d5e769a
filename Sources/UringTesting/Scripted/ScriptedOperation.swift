package import UringEngine

/// One operation that a loop handed to a `ScriptedDriver`, with everything that became of it.
///
/// It is a snapshot: ask the driver again to see what happened since.
///
/// > Thread: On-loop only.
package struct ScriptedOperation {
    /// The name that the loop gave it.
    package let token: OperationToken
    /// What was asked.
    package let verb: ScriptedVerb
    /// Where it stands.
    package internal(set) var state: ScriptedOperationState = .prepared
    /// The result of each completion so far, in order, the terminal one included.
    package internal(set) var results: [Int32] = []
    /// Bytes reported as sent so far.
    package internal(set) var sentByteCount = 0
    /// Bytes delivered so far.
    package internal(set) var deliveredByteCount = 0
    /// A cancel that names it was handed over.
    package internal(set) var isCancelRequested = false
    /// The memory that the loop keeps unchanged for it; nil once the terminal completion was made.
    var memory: ScriptedMemory?
    /// What was asked of a file, with the places for its answer.
    let request: FileRequest?

    init(
        token: OperationToken,
        verb: ScriptedVerb,
        memory: ScriptedMemory?,
        request: FileRequest? = nil
    ) {
        self.token = token
        self.verb = verb
        self.memory = memory
        self.request = request
    }

    /// The kind of operation.
    package var kind: OperationKind { verb.kind }
    /// The descriptor it is on; nil for a cancel.
    package var descriptor: Descriptor? { verb.descriptor }
    /// The kernel still has it, or will have it with the next hand-over: no terminal completion was
    /// made.
    package var isInFlight: Bool { state == .prepared || state == .handedOver }
    /// The bytes of a send that are reported as sent.
    package var sentBytes: ArraySlice<UInt8> { verb.bytes.prefix(sentByteCount) }

    /// Whether a completion that is not terminal can happen: multishot verbs, or a zero-copy send.
    func canContinue(_ capabilities: Capabilities, buffersReleased: Bool) -> Bool {
        switch verb {
        case .accept: capabilities.multishotAccept
        case .receive: capabilities.multishotReceive
        case .receiveMessage: capabilities.multishotReceiveMessage
        case .poll(_, _, let isMultishot): isMultishot && capabilities.multishotPoll
        case .sendZeroCopy: !buffersReleased
        case .readStream(_, _, let isMultishot): isMultishot && capabilities.multishotRead
        case .send, .sendMessage, .connect, .discard, .cancel, .file, .writeStream: false
        }
    }
}

/// The stations of a scripted operation, in order.
///
/// > Thread: Any thread.
package enum ScriptedOperationState: Hashable, Sendable {
    /// The loop asked for it; the kernel does not know of it yet.
    case prepared
    /// `submitAndWait` gave it to the kernel.
    case handedOver
    /// Its terminal completion lies in the queue; the loop has not read it.
    case answered
    /// The loop has read the terminal completion.
    case finished
}
