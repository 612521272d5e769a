internal import CUring

/// Calls on files: given to the driver, or to the program's offload where the driver has no
/// operation for them.
// Safety: a call owns the memory of its request, and is kept until the terminal completion: by the
// table, and by what the offload was given.
extension EventLoop {
    /// Begins the next operation of a call, on the slot of its file or of its own.
    func begin(_ call: FileCall, on target: FileTarget, _ slot: SlotIndex) {
        let request = call.request(on: target)
        let token = begin(request.kind, on: slot)
        call.token = token
        fileCalls.put(call, at: token.slot)
        guard !driver.base.perform(token, request) else { return }
        if case .close(let descriptor) = request {
            // It hardly ever blocks, and must not fail for want of a thread.
            completeSoon(token, cu_close(descriptor.rawValue))
        } else {
            offload(call, token, request)
        }
    }

    /// Takes in a completion of one of a call's operations, and begins the next where there is one.
    ///
    /// - Returns: the call, when it is over or pauses; nil while it goes on.
    func advance(
        _ completion: Completion,
        on target: FileTarget,
        _ slot: SlotIndex
    ) -> (call: FileCall, step: FileCall.Step)? {
        guard let call = fileCalls.take(completion.token.slot) else {
            preconditionFailure("every operation on a file is a call's")
        }
        call.token = nil
        let step = call.completed(completion.result)
        guard step == .again else { return (call, step) }
        begin(call, on: target, slot)
        return nil
    }

    /// Begins a call again after a pause.
    func resume(_ call: FileCall, on target: FileTarget, _ slot: SlotIndex) {
        let job = Job.closure { [self] in
            call.pause = nil
            begin(call, on: target, slot)
        }
        call.pause = addTimer(at: driver.base.now() &+ call.nextPause(), job)
    }

    /// Ends a pause, after which the call never goes on.
    ///
    /// - Returns: false when there was none.
    func endPause(of call: FileCall) -> Bool {
        guard let pause = call.pause else { return false }
        call.pause = nil
        cancelTimer(pause)
        return true
    }

    // MARK: Elsewhere

    private func offload(_ call: FileCall, _ token: OperationToken, _ request: FileRequest) {
        guard let offload = options.offload else {
            call.lacksOffload = true
            return completeSoon(token, -Errno.notSupported.rawValue)
        }
        offloadedCount += 1
        let work = OffloadedCall(call, token, request)
        let isTaken = offload { [self] in
            let result = BlockingFileCall.result(of: work.request)
            if callBeforeEnd({ self.finishOffloaded(work, result) }) { return }
            // Nobody will ever learn of it.
            if case .open = work.request, result >= 0 { _ = cu_close(result) }
            work.letGo()
        }
        guard !isTaken else { return }
        work.letGo()
        offloadedCount -= 1
        // Its queue is full: the call comes again.
        completeSoon(token, -Errno.again.rawValue)
    }

    private func finishOffloaded(_ work: OffloadedCall, _ result: Int32) {
        offloadedCount -= 1
        dispatch(Completion(token: work.token, result: result))
        work.letGo()
    }

    /// Not at once: whoever asks is still in the middle of its own state.
    private func completeSoon(_ token: OperationToken, _ result: Int32) {
        ready.append(.closure { [self] in dispatch(Completion(token: token, result: result)) })
    }

    // MARK: The end

    /// Ends the calls whose completions nobody will see.
    ///
    /// - Parameter areKept: the kernel, or another thread, may still write to their memory.
    func endFileCalls(areKept: Bool) {
        // Those that are kept stay in the table, and the pool with the loop, which is kept itself: so a late
        // write meets memory that is nobody else's.
        for call in areKept ? fileCalls.all : fileCalls.takeAll() {
            call.keepsMemory = areKept
            call.fail(.closed)
            call.end()
        }
        if !areKept { filePool?.orphan() }
    }
}

/// A call on its way to another thread and back.
///
/// > Ownership: It holds the call until `letGo`, which is called once, on the loop's thread while there
/// > is one: the memory of a call goes back where it came from.
@safe private struct OffloadedCall: @unchecked Sendable {
    // Safety: the call is held, so that its memory stays; the other thread touches only what the
    // request leads to, and the loop does not touch that before the completion.
    private let call: Unmanaged<FileCall>
    let token: OperationToken
    let request: FileRequest

    init(_ call: FileCall, _ token: OperationToken, _ request: FileRequest) {
        unsafe self.call = .passRetained(call)
        self.token = token
        self.request = request
    }

    func letGo() {
        unsafe call.release()
    }
}
