import UringEngine

/// Every operation that a `ScriptedDriver` was given, in the order of preparation, finished ones
/// included.
///
/// > Thread: On-loop only.
struct ScriptedOperationTable {
    /// All of them.
    private(set) var all: [ScriptedOperation] = []
    private var positions: [OperationToken: Int] = [:]
    private var preparedPositions: [Int] = []
    private var unfinished: [Descriptor: [OperationToken]] = [:]

    /// How many wait for the hand-over.
    var preparedCount: Int { preparedPositions.count }

    /// The operation of this name; nil for a token that was never used.
    subscript(token: OperationToken) -> ScriptedOperation? {
        positions[token].map { all[$0] }
    }

    /// Those on `descriptor` whose terminal completion the loop has not read, oldest first.
    func unfinishedTokens(on descriptor: Descriptor) -> [OperationToken] {
        unfinished[descriptor] ?? []
    }

    /// Adds one in the state `prepared`.
    mutating func append(_ operation: ScriptedOperation) {
        positions[operation.token] = all.count
        preparedPositions.append(all.count)
        all.append(operation)
        if let descriptor = operation.descriptor {
            unfinished[descriptor, default: []].append(operation.token)
        }
    }

    /// Gives the prepared ones to the kernel, and returns their names, oldest first.
    mutating func handOver() -> [OperationToken] {
        let positions = preparedPositions
        preparedPositions.removeAll(keepingCapacity: true)
        return positions.map { position in
            all[position].state = .handedOver
            return all[position].token
        }
    }

    /// Changes one.
    ///
    /// Precondition: the token was used.
    mutating func update(_ token: OperationToken, _ change: (inout ScriptedOperation) -> Void) {
        guard let position = positions[token] else {
            preconditionFailure("only an operation that was prepared can change: \(token.text)")
        }
        change(&all[position])
    }

    /// Ends one whose terminal completion was read; anything else is left alone.
    mutating func finish(_ token: OperationToken) {
        guard let position = positions[token], all[position].state == .answered else { return }
        retire(position)
    }

    /// Ends those that a shutdown ends, and returns how many stay with the kernel.
    mutating func endAll(answersCancels: Bool) -> Int {
        preparedPositions.removeAll()
        var stuckCount = 0
        for position in all.indices {
            switch all[position].state {
            case .handedOver where !answersCancels: stuckCount += 1
            case .prepared, .handedOver, .answered: retire(position)
            case .finished: break
            }
        }
        return stuckCount
    }

    private mutating func retire(_ position: Int) {
        all[position].state = .finished
        all[position].memory = nil
        guard let descriptor = all[position].descriptor else { return }
        let token = all[position].token
        unfinished[descriptor]?.removeAll { $0 == token }
    }
}

extension OperationToken {
    /// A form that a person can find in a failure: `receive slot 3 generation 7`.
    var text: String {
        let name = kind.map { "\($0)" } ?? "unknown"
        return "\(name) slot \(slot.rawValue) generation \(generation.rawValue)"
    }
}
