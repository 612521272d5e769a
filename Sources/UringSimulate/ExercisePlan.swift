import UringCore
import UringTesting

/// What one seed's server and clients are like.
struct ExercisePlan {
    enum Face {
        case async
        /// The callback face, served by the registry.
        case callback
        /// The callback face on listeners of the loops' own.
        case loop
    }

    let face: Face
    let shards: Int
    let endpoint: Endpoint
    let placement: ListenerPlacement
    let clients: [ClientPlan]
    /// Connections that each shard makes to the server itself.
    let connectors: Int
    /// The drain begins about so many steps after the start; nil for when the clients are done.
    let drainStep: Int?
    /// A handler of a shard throws, and is called again.
    let restarts: Bool
    /// The network loses connections.
    let hasBadNetwork: Bool
    var options = SimulationOptions()

    init(seed: UInt64) {
        var random = SimulationRandom(seed: seed)
        face = random.pick([.async, .async, .callback, .loop])
        shards = random.pick([1, 1, 2, 3])
        endpoint = random.pick([
            .tcp(host: "127.0.0.1", port: 7_000), .tcp(host: "127.0.0.1", port: 7_000),
            .tcp(host: "::1", port: 7_000), .unix(path: "/run/exercise"),
            .abstract(name: "exercise"),
        ])
        placement = random.pick([.perShard, .perShard, .distributed])
        var plans: [ClientPlan] = []
        for number in 0..<random.between(1, 5) { plans.append(ClientPlan(number, &random)) }
        clients = plans
        connectors = random.pick([0, 0, 1, 2])
        drainStep = random.below(3) == 0 ? random.between(10, 2_000) : nil
        restarts = face == .async && random.below(5) == 0
        hasBadNetwork = random.below(6) == 0
        var configuration = Configuration()
        configuration.drainSignals = []
        configuration.drainTimeout = .milliseconds(random.pick([0, 50, 600_000]))
        configuration.loop.limits.connectionsMax = random.pick([0, 0, 0, 1, 3])
        configuration.backlog = random.pick([1, 2, 4_096])
        configuration.balance = random.pick([.p2c, .p2c, .off])
        options.configuration = configuration
        if hasBadNetwork {
            var faults = SimulationFaults(seed: seed)
            faults.resets = random.pick([0, 5, 50])
            faults.refusedConnects = random.pick([0, 200])
            faults.lostConnects = random.pick([0, 0, 100])
            options.faults = faults
        }
        // Enough to listen and to connect, too few to accept all.
        options.limits.descriptorsMax = random.pick([1_024, 1_024, shards * (1 + connectors) + 3])
        options.limits.socketBufferMin = 64
        options.limits.socketBufferMax = random.pick([256, 2_048, 16_384])
        options.limits.stepsMax = 400_000
        options.limits.traceMax = Environment.traceMax ?? 100
    }

    /// The peer of a Unix socket is not told of an abort.
    var tellsAborts: Bool {
        if case .tcp = endpoint { true } else { false }
    }

    /// A drain was the only thing that cut anything short, and it had time: what a handler wrote arrives.
    var drainsInPeace: Bool {
        drainStep != nil && !restarts && !hasBadNetwork
            && options.configuration.drainTimeout >= .seconds(10)
    }

    /// The connections may end otherwise than the handlers and the clients want.
    var mayBeCut: Bool { drainStep != nil || restarts || hasBadNetwork }
}

/// What one client does.
struct ClientPlan {
    enum Ending {
        /// Ends its side, and waits for the server's.
        case finish
        /// Closes as soon as everything is sent.
        case closeAtOnce
        /// Resets when so many bytes are sent.
        case reset(after: Int)
        /// Waits until the server ends.
        case wait
    }

    let number: Int
    let behaviour: Behaviour
    let byteCount: Int
    let chunkMax: Int
    /// Of a thousand chances to receive it takes so many.
    let eagerness: Int
    let ending: Ending

    init(_ number: Int, _ random: inout SimulationRandom) {
        self.number = number
        behaviour = random.pick(Behaviour.allCases)
        byteCount = random.pick([0, 1, 100, 1_500, 5_000])
        // Not more than 40 sends: many short runs find more than few long ones.
        chunkMax = max(random.pick([1, 50, 700, 20_000]), byteCount / 20)
        eagerness = random.pick([1_000, 500, 50])
        switch random.below(6) {
        case 0: ending = .closeAtOnce
        case 1: ending = .reset(after: random.between(0, byteCount))
        case 2 where behaviour.endsByItself && byteCount > Behaviour.patience: ending = .wait
        default: ending = .finish
        }
    }

    /// The byte at a position of what this client sends: first what the server shall do.
    static func byte(_ position: Int, of number: Int, _ behaviour: Behaviour) -> UInt8 {
        switch position {
        case 0: behaviour.rawValue
        case 1: UInt8(truncatingIfNeeded: number)
        default: UInt8(truncatingIfNeeded: position &* 31 &+ position >> 8 &+ number &* 17)
        }
    }
}

/// What the server does with a connection.
enum Behaviour: UInt8, CaseIterable {
    /// Sends back what comes.
    case echo
    /// The same, in small pieces, each copied.
    case piecewise
    /// The same, with pauses.
    case slow
    /// The same, after another shard was asked.
    case submit
    /// The same; it gives up waiting now and then, and goes on.
    case impatient
    /// The same; it keeps what came until the next comes, and so pins buffers.
    case hoard
    /// The same; it writes and reads at once.
    case duplex
    /// The same; reads are cancelled now and then.
    case raced
    /// The same, with hardly any room for what waits to be sent.
    case narrow
    /// The same; it closes by itself, and waits until all was sent.
    case closeAndWait
    /// Ends its own side when so much has come, and reads on.
    case halfClose
    /// Ends the connection when so much has come.
    case leaveEarly
    /// Throws when so much has come.
    case fail
    /// Aborts when so much has come, from another shard.
    case abort
    /// Has little time in all.
    case hurry

    /// Bytes after which some act.
    static let patience = 1_000

    /// It ends its side before the client does.
    var endsByItself: Bool {
        switch self {
        case .leaveEarly, .fail, .abort, .halfClose: true
        case .echo, .piecewise, .slow, .submit, .impatient, .hoard, .duplex, .raced, .narrow,
            .closeAndWait, .hurry:
            false
        }
    }

    /// A reset may be its doing. (Who leaves early drops what still comes, for a while.)
    var mayReset: Bool {
        switch self {
        case .leaveEarly, .fail, .abort, .hurry: true
        case .echo, .piecewise, .slow, .submit, .impatient, .hoard, .duplex, .raced, .narrow,
            .closeAndWait, .halfClose:
            false
        }
    }
}
