/// How far one connection has come: what was begun, written, and answered.
///
/// > Thread: On-loop only.
struct EchoLedger {
    private let messageBytes: Int
    /// Messages begun.
    private(set) var begunCount = 0
    /// Messages that came back whole.
    private(set) var answeredCount = 0
    /// Bytes of begun messages that were not written yet.
    private(set) var owedBytes = 0
    /// Bytes written that did not come back yet.
    private(set) var awaitedBytes = 0
    /// What is still to come of the message that comes next.
    private var incomingBytes: Int

    init(messageBytes: Int) {
        self.messageBytes = messageBytes
        incomingBytes = messageBytes
    }

    /// Messages begun and not answered.
    var inFlightCount: Int { begunCount &- answeredCount }

    /// Where the next byte to come back is in its message.
    var incomingOffset: Int { messageBytes &- incomingBytes }

    /// Begins messages: their bytes are owed.
    mutating func begin(_ count: Int) {
        begunCount &+= count
        owedBytes &+= count &* messageBytes
    }

    /// Bytes were written.
    mutating func wrote(_ byteCount: Int) {
        precondition(byteCount <= owedBytes, "no more is written than is owed")
        owedBytes &-= byteCount
        awaitedBytes &+= byteCount
    }

    /// Bytes came back.
    ///
    /// - Returns: how many messages they completed.
    mutating func took(_ byteCount: Int) -> Int {
        precondition(byteCount <= awaitedBytes, "no more comes back than was written")
        awaitedBytes &-= byteCount
        guard byteCount >= incomingBytes else {
            incomingBytes &-= byteCount
            return 0
        }
        let rest = byteCount &- incomingBytes
        let (messages, bytes) =
            rest == 0 ? (0, 0) : rest.quotientAndRemainder(dividingBy: messageBytes)
        incomingBytes = messageBytes &- bytes
        answeredCount &+= messages &+ 1
        return messages &+ 1
    }
}
