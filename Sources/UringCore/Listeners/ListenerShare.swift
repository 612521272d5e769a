internal import Synchronization

/// One shard's part in a listening address.
///
/// > Thread: `isServing`, `load`, `announce`, `arrived` and `stopServing`: any thread. All else: on its
/// > shard.
final class ListenerShare: @unchecked Sendable {
    // Safety: other threads touch only the atomics.
    let shard: Shard
    /// What takes connections; nil while the shard does not serve.
    private(set) var take: ((Descriptor) throws -> Void)?
    /// Whoever takes them has as many as it wants for now; asked before each accept.
    private(set) var isHeldUp: (() -> Bool)?
    /// What accepts here; nil while another shard does.
    var acceptor: StreamListener?
    // Relaxed: hints for the choice of a shard; the hand-over itself goes through the inbox.
    private let serves = Atomic(false)
    private let underWay = Atomic(0)

    init(shard: Shard) {
        self.shard = shard
    }

    var isServing: Bool { serves.load(ordering: .relaxed) }

    /// Connections that it has or is about to get.
    var load: Int {
        shard.loop.heartbeat.openConnections &+ underWay.load(ordering: .relaxed)
    }

    func begin(isHeldUp: (() -> Bool)?, _ take: @escaping (Descriptor) throws -> Void) {
        self.take = take
        self.isHeldUp = isHeldUp
        serves.store(true, ordering: .relaxed)
    }

    func end() {
        take = nil
        isHeldUp = nil
        serves.store(false, ordering: .relaxed)
    }

    /// A connection is on its way here.
    func announce() {
        underWay.wrappingAdd(1, ordering: .relaxed)
    }

    /// It came, or it will not.
    func arrived() {
        underWay.wrappingSubtract(1, ordering: .relaxed)
    }

    /// It gets no more connections: its shard has ended, or its serving task is cancelled.
    func stopServing() {
        serves.store(false, ordering: .relaxed)
    }

    /// Takes a connection in; one that nobody takes is closed.
    func receive(_ descriptor: Descriptor) {
        guard let take else { return shard.loop.control.close(descriptor) }
        do {
            try take(descriptor)
        } catch {
            shard.loop.reportFactory(error)
            shard.loop.control.close(descriptor)
        }
    }
}
