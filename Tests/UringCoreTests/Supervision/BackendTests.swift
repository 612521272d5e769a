import Testing

@testable import UringCore
@testable import UringEngine

/// One backend for all shards, decided once.
@Suite("The backend of a supervisor", .serialized)
struct BackendTests {
    private static let denied = IOError(.setUpRing, errno: .notPermitted)

    /// One shard alone is refused: the others had their rings already.
    @Test(arguments: [0, 1, 2])
    func isEpollForAllWhenOneShardIsRefusedIOUring(_ refused: Int) async throws {
        try await leavingNothing {
            let used = SharedList<Backend>()
            let supervisor = makeSupervisor(3, configured { $0.backend = .auto }) {
                (index, options) throws(IOError) in
                #expect(options.backend != .auto, "no shard decides by itself")
                if index == refused, options.backend == .uring { throw Self.denied }
                return try EventLoop(options)
            }
            let run = SupervisedRun(supervisor) { shard in
                used.append(shard.loop.backend)
                // Nothing of the first try is in the way.
                _ = try shard.listen()
            }
            try await run.expectEnd()
            #expect(used.all == [.epoll, .epoll, .epoll])
        }
    }

    @Test func isDecidedOnce() async throws {
        let tries = SharedList<BackendChoice>()
        let supervisor = makeSupervisor(1, configured { $0.backend = .auto }) {
            (_, options) throws(IOError) in
            tries.append(options.backend)
            throw IOError(.setUpRing, errno: .notPermitted)
        }
        let outcome = try await SupervisedRun(supervisor) { _ in }.outcome()
        guard case .startFailed(0, nil, _) = outcome else { throw UnexpectedOutcome(outcome) }
        #expect(tries.all == [.uring, .epoll])
    }

    @Test(arguments: [Errno.noMemory, .tooManyFiles, .tooManyFilesInSystem])
    func isNeverEpollForWantOfSomething(_ errno: Errno) async throws {
        let tries = SharedList<BackendChoice>()
        let supervisor = makeSupervisor(1, configured { $0.backend = .auto }) {
            (_, options) throws(IOError) in
            tries.append(options.backend)
            throw IOError(.setUpRing, errno: errno)
        }
        let outcome = try await SupervisedRun(supervisor) { _ in }.outcome()
        guard case .startFailed(0, nil, let cause) = outcome else {
            throw UnexpectedOutcome(outcome)
        }
        #expect(cause.errno == errno)
        #expect(Set(tries.all) == [.uring])
    }

    @Test func isNeverEpollWhereIOUringIsInsistedOn() async throws {
        let supervisor = makeSupervisor(2, configured { $0.backend = .uring }) {
            (_, options) throws(IOError) in throw Self.denied
        }
        let outcome = try await SupervisedRun(supervisor) { _ in }.outcome()
        guard case .startFailed(_, nil, let cause) = outcome else {
            throw UnexpectedOutcome(outcome)
        }
        #expect(cause == Self.denied)
    }

    @Test(arguments: [(BackendChoice.auto, Backend.uring), (.uring, .uring), (.epoll, .epoll)])
    func isInEachSnapshot(_ choice: BackendChoice, _ backend: Backend) async throws {
        try await leavingNothing {
            let addresses = Addresses()
            let supervisor = makeSupervisor(2, configured { $0.backend = choice })
            let run = SupervisedRun(supervisor) { shard in
                let listener = try shard.listen()
                addresses.add(listener.address)
                try await listener.serve(echo)
            }
            let address = try await addresses.last(after: 2)
            try await onThread { try BlockingClient(to: address).exchange([1, 2, 3]) }
            #expect(await supervisor.snapshot().map(\.backend) == [backend, backend])
            try await run.drain()
        }
    }
}
