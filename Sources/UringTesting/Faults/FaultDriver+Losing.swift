internal import UringEngine

/// What becomes of the completions of operations whose result is lost.
extension FaultDriver {
    /// Hands a completion on, changed where its operation is doomed.
    func pass(_ completion: Completion, into batch: inout CompletionBatch) {
        let token = completion.token
        guard token != Self.ownCancel else { return }
        guard let doom = doomed[token] else { return batch.append(completion) }
        if completion.isTerminal { doomed[token] = nil } else { end(token) }
        // A real error is no worse than ours, and the kernel tells it only once.
        // But one that asks to be asked again would hide what was lost before it.
        if let errno = completion.errno, !errno.asksAgain { return batch.append(completion) }
        let kinds: [OperationKind?] = [.receive, .receiveMessage, .readStream]
        if kinds.contains(token.kind), completion.hasBuffer, completion.result > 0,
            doom.errno.asksAgain
        {
            return handOn(completion, before: doom.errno, into: &batch)
        }
        lose(completion)
        guard completion.isTerminal else { return }
        batch.append(Completion(token: token, result: -doom.errno.rawValue))
    }

    /// Ends an armed operation, so that its last completion can be an error.
    private func end(_ token: OperationToken) {
        guard doomed[token]?.isEnding == false else { return }
        doomed[token]?.isEnding = true
        base.cancel(Self.ownCancel, target: token)
    }

    /// No kernel takes bytes and asks to be asked again.
    private func handOn(
        _ completion: Completion,
        before errno: Errno,
        into batch: inout CompletionBatch
    ) {
        batch.append(
            Completion(
                token: completion.token,
                result: completion.result,
                isTerminal: false,
                buffer: completion.buffer,
                offset: completion.offset
            )
        )
        guard completion.isTerminal else { return }
        ready.append(Completion(token: completion.token, result: -errno.rawValue))
    }

    /// Puts back what nobody will hear of.
    private func lose(_ completion: Completion) {
        if completion.hasBuffer {
            base.provide(completion.buffer)
            base.publish()
        }
        if completion.result >= 0, completion.token.kind?.returnsDescriptor == true {
            base.close(Descriptor(rawValue: completion.result))
        }
    }
}
