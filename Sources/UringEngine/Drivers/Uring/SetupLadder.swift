internal import CUring
internal import Glibc

/// Makes a ring: rung by rung on EINVAL, and smaller by steps on ENOMEM when it is the only ring.
///
/// > Thread: Before start only, on the ring's own thread.
struct SetupLadder {
    let options: UringDriverOptions
    let budget: RingMemoryBudget

    /// What every kernel from 5.11 on has, and this driver relies on.
    static let requiredFeatures: [(bit: UInt32, name: String)] = [
        (UInt32(IORING_FEAT_SINGLE_MMAP), "SINGLE_MMAP"),
        (UInt32(IORING_FEAT_NODROP), "NODROP"),
        (UInt32(IORING_FEAT_FAST_POLL), "FAST_POLL"),
        (UInt32(IORING_FEAT_EXT_ARG), "EXT_ARG"),
    ]

    /// A closed ring's memory is given back late: by this much at most, as seen.
    private static let patienceNanoseconds: UInt64 = 1_000_000_000

    /// Runs `make` with sizes until it stops failing for want of memory.
    ///
    /// Each size gets its share of one second before the next smaller one is tried. One of several
    /// shards does not shrink alone: its error goes up, so that all are remade alike.
    ///
    /// - Throws: an error of `.setUpRing` in words.
    func shrinkingOnNoMemory<Made>(
        _ make: (RingSizes) throws(IOError) -> Made
    ) throws(IOError) -> Made {
        let wished = options.sizes.normalized
        let fitting = wished.fitting(budget)
        let isAlone = options.shardCount == 1
        // Of many, whoever makes them all says it once.
        if isAlone, fitting != wished {
            options.log(SetupFailure.chosenBelowWish(fitting, wished, budget))
        }
        let steps = isAlone ? self.steps(from: fitting) : [fitting]
        let patience = isAlone ? Self.patienceNanoseconds / UInt64(steps.count) : 0
        for (index, sizes) in steps.enumerated() {
            do throws(IOError) {
                let made = try retrying(until: MonotonicClock.nanoseconds() + patience) {
                    () throws(IOError) in
                    try make(sizes)
                }
                if index > 0 { options.log(SetupFailure.shrunk(from: fitting, to: sizes, budget)) }
                return made
            } catch {
                guard error.errno == .noMemory, index < steps.count - 1 else {
                    throw SetupFailure.explained(error, sizes: sizes, budget: budget)
                }
            }
        }
        preconditionFailure("the last step either returns or throws")
    }

    /// Tries the rungs from the top at one size.
    func makeRing(_ sizes: RingSizes) throws(IOError) -> UringRing {
        var last = IOError(.setUpRing, errno: .invalid)
        for rung in SetupRung.ladder(for: options) {
            do throws(IOError) {
                return try UringRing(rung: rung, options: options, sizes: sizes)
            } catch {
                // EINVAL: the kernel does not know one of the flags, and the next rung has fewer.
                // SQPOLL may also be forbidden on its own. Want of memory is met by a smaller size,
                // on any rung.
                let isPolling = rung == .kernelPolling && error.errno != .noMemory
                guard isPolling || error.errno == .invalid else { throw error }
                if isPolling { options.log(SetupFailure.noKernelPolling(error)) }
                last = error
            }
        }
        throw last
    }

    /// The names of required features that a ring lacks.
    static func missingFeatures(_ features: UInt32) -> [String] {
        requiredFeatures.filter { features & $0.bit == 0 }.map(\.name)
    }

    private func steps(from sizes: RingSizes) -> [RingSizes] {
        var steps = [sizes]
        while let smaller = steps.last?.halved(pageBytes: budget.pageBytes) {
            steps.append(smaller)
        }
        return steps
    }

    private func retrying<Made>(
        until deadline: UInt64,
        _ make: () throws(IOError) -> Made
    ) throws(IOError) -> Made {
        while true {
            do throws(IOError) {
                return try make()
            } catch {
                guard error.errno == .noMemory, MonotonicClock.nanoseconds() < deadline else {
                    throw error
                }
                // No descriptors: poll(2) only passes 5 ms here, before the loop has begun.
                _ = Glibc.poll(nil, 0, 5)
            }
        }
    }
}
