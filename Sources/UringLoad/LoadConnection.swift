internal import UringCore

/// One connection of the load: it sends messages, checks what comes back, and notes how long each
/// took.
///
/// > Thread: On-loop only.
/// > Ownership: Its worker keeps it to the end of the run.
final class LoadConnection: StreamHandler {
    // Exclusivity: unchecked for what every message touches (docs/decisions/0003); checked, these
    // and the worker's cost 270 of 1,850 user instructions a request.
    // Safety: the variables marked so are the loop thread's alone, and none is lent out while
    // something is called that may come back here.

    /// Counted from 0 over all workers.
    let number: Int
    private let worker: LoadWorker
    private let pattern: BytePattern
    private let schedule: RequestSchedule?
    private let pipelineDepth: Int
    @safe @exclusivity(unchecked) private var transport: StreamTransport?

    @safe @exclusivity(unchecked) private var ledger: EchoLedger
    @safe @exclusivity(unchecked) private var sendPlace: Int
    @safe @exclusivity(unchecked) private var checkPlace: Int
    /// When the messages in flight were begun, by number; of an open loop the schedule knows.
    @safe @exclusivity(unchecked) private var beginnings: [UInt64]
    /// Messages of an open loop that are due and not begun.
    @safe @exclusivity(unchecked) private var backlogCount = 0
    @safe @exclusivity(unchecked) private var isWritingPaused = false
    @safe @exclusivity(unchecked) private(set) var isLost = false

    init(number: Int, worker: LoadWorker) {
        self.number = number
        self.worker = worker
        pattern = worker.pattern
        schedule = worker.schedule
        pipelineDepth = worker.plan.pipelineDepth
        ledger = EchoLedger(messageBytes: worker.plan.messageBytes)
        sendPlace = pattern.origin(ofConnection: number)
        checkPlace = sendPlace
        beginnings = schedule == nil ? [UInt64](repeating: 0, count: pipelineDepth) : []
    }

    // MARK: Sending

    /// A closed loop begins: as many messages as may be in flight.
    func beginAll(now: UInt64) {
        guard !isLost else { return }
        beginMessages(pipelineDepth, now: now)
    }

    /// A message of an open loop is due.
    func messageIsDue(now: UInt64) {
        guard !isLost else { return }
        backlogCount += 1
        beginBacklog(now: now)
    }

    private func beginBacklog(now: UInt64) {
        let count = min(backlogCount, pipelineDepth &- ledger.inFlightCount)
        backlogCount &-= count
        beginMessages(count, now: now)
    }

    private func beginMessages(_ count: Int, now: UInt64) {
        guard count > 0 else { return }
        if schedule == nil {
            for message in ledger.begunCount..<(ledger.begunCount &+ count) {
                beginnings[message % pipelineDepth] = now
            }
        }
        ledger.begin(count)
        worker.inFlightCount &+= count
        writeOwed()
    }

    /// Writes what is owed, as far as the stream takes it: memory is bounded by its watermark,
    /// however large messages are.
    private func writeOwed() {
        guard let transport else { return }
        while ledger.owedBytes > 0, !isWritingPaused {
            let byteCount = min(ledger.owedBytes, BytePattern.runBytes)
            // Before the write: it may call `pauseWriting`, and a stream that refuses it is ending.
            ledger.wrote(byteCount)
            pattern.withRun(at: sendPlace, byteCount: byteCount) { _ = transport.write($0) }
            sendPlace = pattern.place(byteCount, after: sendPlace)
        }
    }

    // MARK: The stream's calls

    func connectionMade(_ transport: StreamTransport) {
        self.transport = transport
    }

    func dataReceived(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) {
        guard !isLost else { return }
        let byteCount = bytes.byteCount
        guard byteCount <= ledger.awaitedBytes else { return refuse(byteCount, on: transport) }
        let isRight = bytes.withBytes { pattern.matches($0, at: checkPlace) }
        if !isRight { bytes.withBytes { reportMismatch(of: $0) } }
        checkPlace = pattern.place(byteCount, after: checkPlace)
        let first = ledger.answeredCount
        let count = ledger.took(byteCount)
        if count > 0 { answered(first..<(first &+ count), now: worker.loop.now) }
        worker.took(byteCount: byteCount, messageCount: count)
    }

    /// These messages came back whole: note it, and begin others.
    private func answered(_ messages: Range<Int>, now: UInt64) {
        for message in messages {
            let start = beginning(ofMessage: message)
            worker.latencies.add(now > start ? now &- start : 0)
        }
        guard worker.isMeasuring else { return }
        if schedule == nil {
            beginMessages(messages.count, now: now)
        } else {
            beginBacklog(now: now)
        }
    }

    private func beginning(ofMessage message: Int) -> UInt64 {
        guard let schedule else { return beginnings[message % pipelineDepth] }
        return worker.windowStart
            &+ schedule.nanoseconds(ofMessage: message, onConnection: number)
    }

    func pauseWriting(on transport: StreamTransport) {
        isWritingPaused = true
    }

    func resumeWriting(on transport: StreamTransport) {
        isWritingPaused = false
        writeOwed()
    }

    func eofReceived(on transport: StreamTransport) -> Bool {
        worker.lose(self, "the server closed it")
        return false
    }

    func connectionLost(_ transport: StreamTransport, error: IOError?) {
        worker.lose(self, error.map { "\($0)" } ?? "it was closed")
    }

    // MARK: What goes wrong

    private func refuse(_ byteCount: Int, on transport: StreamTransport) {
        let extra = byteCount - ledger.awaitedBytes
        worker.countWrong(
            extra,
            "connection \(number): \(extra) more bytes came back than were sent"
        )
        worker.lose(self, "it is out of step")
        transport.abort()
    }

    private func reportMismatch(of bytes: RawSpan) {
        let mismatch = pattern.mismatch(of: bytes, at: checkPlace)
        let position = ledger.incomingOffset + mismatch.offset
        let (messages, offset) = position.quotientAndRemainder(
            dividingBy: worker.plan.messageBytes
        )
        worker.countWrong(
            mismatch.wrongBytes,
            "connection \(number), message \(ledger.answeredCount + messages), byte \(offset): "
                + "\(mismatch.byte) came back for \(mismatch.expected)"
        )
    }

    // MARK: The end

    /// The window is over: what is due and was not begun never will be.
    ///
    /// - Returns: how many messages that are.
    func dropBacklog(now: UInt64) -> Int {
        noteWaits(of: ledger.begunCount..<(ledger.begunCount + backlogCount), now: now)
        defer { backlogCount = 0 }
        return backlogCount
    }

    /// Nothing is expected of it any more.
    ///
    /// - Returns: how many messages were in flight.
    func giveUp(now: UInt64) -> Int {
        isLost = true
        noteWaits(of: ledger.answeredCount..<ledger.begunCount, now: now)
        return ledger.inFlightCount
    }

    /// Messages without an answer took at least as long as they have waited; to leave them out would
    /// leave out the slowest.
    private func noteWaits(of messages: Range<Int>, now: UInt64) {
        for message in messages {
            let start = beginning(ofMessage: message)
            worker.latencies.add(now > start ? now &- start : 0)
        }
    }

    /// Messages begun and not answered.
    var inFlightCount: Int { ledger.inFlightCount }

    /// Ends it in order.
    func close() {
        transport?.close()
    }
}
