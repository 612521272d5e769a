/// Carries out a call that belongs to no descriptor: it has a slot of its own, with no descriptor in
/// it, for as long as it takes.
///
/// One slot for all of them would stay in the table for ever, and would need a list of its own to
/// find a completion's call.
///
/// > Thread: On-loop only.
/// > Ownership: The table keeps it until its call has ended.
package final class PathOperation: DescriptorOwner, FileCallCarrier {
    private let loop: EventLoop
    private let call: FileCall
    private static let target = FileTarget(Descriptor(rawValue: -1))

    private init(_ loop: EventLoop, _ call: FileCall) {
        self.loop = loop
        self.call = call
    }

    /// Begins a call.
    static func begin(_ call: FileCall, on loop: EventLoop) {
        let operation = PathOperation(loop, call)
        let slot = loop.descriptors.adopt(target.descriptor, owner: operation)
        call.carrier = operation
        loop.begin(call, on: target, slot)
    }

    /// Takes in what its operation reports.
    package override func operationCompleted(_ completion: Completion) {
        if completion.isOf(.cancel) { return }
        guard let (call, step) = loop.advance(completion, on: Self.target, slot) else { return }
        if step == .later { loop.resume(call, on: Self.target, slot) } else { letGo() }
    }

    /// Ends it: its operation is cancelled, and tells by its completion how far it came.
    package func cancel(_ call: FileCall) {
        call.isCancelled = true
        if loop.endPause(of: call) {
            call.fail(.cancelled)
            letGo()
        } else if let token = call.token, slot != .none {
            loop.cancel(token, on: slot)
        }
    }

    private func letGo() {
        call.carrier = nil
        loop.close(slot, mode: .letGo)
    }

    /// What may still be in flight.
    package override var operationTokens: [OperationToken] { call.token.map { [$0] } ?? [] }

    /// Tells who asked.
    package override func descriptorClosed() {
        call.end()
    }

    /// Ends it.
    package override func endForShutdown() {
        guard !call.isCancelled else { return }
        cancel(call)
    }
}
