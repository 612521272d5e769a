internal import CUring
import UringEngine

/// A kernel and a network in memory: sockets, what is under way between them, and a clock.
///
/// Every choice comes from one seed. It moves only when its simulation tells it to, on one thread.
///
/// > Thread: On the simulation's thread only.
/// > Ownership: The drivers of all shards share it; it owns the sockets.
@safe final class SimulatedKernel {
    /// Where the clock begins: not at zero, which would hide what counts from there.
    static let startNanoseconds: UInt64 = 1_000_000_000
    /// Far above what a process has open: a number that slips into a real call gets EBADF.
    private static let firstDescriptor: Int32 = 1_000_000

    let limits: SimulationLimits
    var faults: SimulationFaults
    var random: SimulationRandom
    var trace: SimulationTrace
    // Safety: made with the kernel, freed with it; while a step runs, `Deadline.now` reads it.
    private let clockStorage = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
    var clock: UInt64 {
        get { unsafe clockStorage.pointee }
        set { unsafe clockStorage.pointee = newValue }
    }
    var events = SimulatedEvents()
    /// Every socket that is not over, to take references between them apart at the end.
    var sockets: [SimulatedSocket] = []
    var files = SimulatedFiles()
    var fileSystem = SimulatedFileSystem()
    /// By number, from `firstDescriptor` on; nil for a free one.
    private var descriptors: [SimulatedSocket?] = []
    private(set) var openCount = 0
    private var socketsMade = 0
    private var portsGiven: UInt16 = 0
    /// The first rule that was broken.
    private(set) var failure: String?

    init(seed: UInt64, faults: SimulationFaults, limits: SimulationLimits) {
        self.random = SimulationRandom(seed: seed)
        self.faults = faults
        self.limits = limits
        self.trace = SimulationTrace(entriesMax: limits.traceMax)
        unsafe clockStorage.initialize(to: Self.startNanoseconds)
    }

    deinit {
        unsafe clockStorage.deallocate()
    }

    /// Makes this the clock of `Deadline.now` during `body`.
    func asClock<Value>(_ body: () -> Value) -> Value {
        // Safety: the storage lives as long as this object, which the call holds.
        let outer = unsafe cu_simulated_clock()
        unsafe cu_set_simulated_clock(clockStorage)
        defer { unsafe cu_set_simulated_clock(outer) }
        return body()
    }

    /// Sockets refer to each other.
    func takeApart() {
        for socket in sockets {
            socket.peer = nil
            socket.datagrams = []
            socket.queue = []
            socket.operations = []
            socket.readers = []
            socket.writers = []
        }
        sockets = []
        descriptors = []
        fileSystem.takeApart()
        events.removeAll()
    }

    /// Remembers the first broken rule; the simulation ends with it.
    func fail(_ what: String) {
        if failure == nil { failure = what }
    }

    func fail(_ violation: ScriptedViolation) {
        fail(violation.description)
    }

    // MARK: Time

    /// Microseconds as a rule, now and then much longer.
    func delay() -> UInt64 {
        if random.happens(faults.delays) {
            let long = Int(clamping: faults.longDelay.clampedNanoseconds)
            return UInt64(random.between(1_000, max(1_000, long)))
        }
        // Often nothing at all: then the order of events is that of their making.
        return random.below(3) == 0 ? 0 : UInt64(random.below(40_000))
    }

    func after(_ nanoseconds: UInt64, _ action: SimulatedEvents.Action) {
        events.add(at: clock &+ nanoseconds, action)
    }

    /// Moves the clock to the next event when that comes before `bound`, or to `bound`.
    ///
    /// - Returns: false when nothing will ever happen.
    func moveClock(before bound: UInt64?, by nanosecondsMax: UInt64 = 1 << 62) -> Bool {
        guard var next = [events.nextTime, bound].compactMap({ $0 }).min() else { return false }
        next = min(next, clock &+ nanosecondsMax)
        if next > clock {
            clock = next
            trace.add(.clock, shard: -1, clock: clock, (0, 0, 0))
        }
        return true
    }

    /// Something is to happen now.
    var isBusy: Bool { events.nextTime.map { $0 <= clock } ?? false }

    /// Lets the next event happen, if its time has come.
    func step() {
        guard let action = events.popDue(now: clock) else { return }
        switch action {
        case .attempt(let operation): attempt(operation)
        case .transmit(let socket): transmit(socket)
        case .segment(let socket, let bytes): arrive(bytes, at: socket)
        case .datagram(let flight): arrive(flight)
        case .fin(let socket): arriveEnd(at: socket)
        case .reset(let socket): arriveReset(at: socket)
        case .handshake(let socket, let count): handshake(socket, try: count)
        case .established(let socket): established(socket)
        case .connectFailed(let socket, let errno): connectFailed(socket, errno)
        case .call(let body): body()
        }
    }

    // MARK: Descriptors

    func makeSocket(isUnix: Bool) -> SimulatedSocket {
        socketsMade += 1
        let socket = SimulatedSocket(
            number: socketsMade,
            isUnix: isUnix,
            inputCapacity: random.between(limits.socketBufferMin, limits.socketBufferMax),
            outputCapacity: random.between(limits.socketBufferMin, limits.socketBufferMax)
        )
        sockets.append(socket)
        return socket
    }

    /// The lowest free number, as a kernel gives it; nil at the limit.
    func open(_ socket: SimulatedSocket) -> Descriptor? {
        guard openCount < limits.descriptorsMax else { return nil }
        openCount += 1
        let free = descriptors.firstIndex { $0 == nil } ?? descriptors.count
        if free == descriptors.count {
            descriptors.append(socket)
        } else {
            descriptors[free] = socket
        }
        return Descriptor(rawValue: Self.firstDescriptor + Int32(free))
    }

    func socket(_ descriptor: Descriptor) -> SimulatedSocket? {
        let place = Int(descriptor.rawValue) - Int(Self.firstDescriptor)
        return descriptors.indices.contains(place) ? descriptors[place] : nil
    }

    func free(_ descriptor: Descriptor) {
        openCount -= 1
        descriptors[Int(descriptor.rawValue - Self.firstDescriptor)] = nil
    }

    /// Those that are open, lowest first.
    var openDescriptors: [Descriptor] {
        descriptors.indices.filter { descriptors[$0] != nil }.map {
            Descriptor(rawValue: Self.firstDescriptor + Int32($0))
        } + fileSystem.openDescriptors
    }

    func givePort() -> UInt16 {
        portsGiven += 1
        return 32_768 + portsGiven % 28_000
    }

    /// Every socket that somebody has made something of, in the order of their making.
    func listeners(at address: SocketAddress) -> [SimulatedSocket] {
        sockets.filter { socket in
            socket.phase == .listening && socket.isHeld
                && (socket.local.map { $0.covers(address) } ?? false)
        }
    }
}

extension SocketAddress {
    /// A socket bound here gets what is sent to `other`.
    func covers(_ other: SocketAddress) -> Bool {
        switch (self, other) {
        case (.ipv4(let own, let port), .ipv4(let wanted, let otherPort)):
            port == otherPort && (own == wanted || own == 0)
        case (.ipv6(let high, let low, let port, _), .ipv6(let high2, let low2, let port2, _)):
            port == port2 && (high == high2 && low == low2 || high == 0 && low == 0)
        // An IPv6 socket takes IPv4 too, unless told otherwise; that is not told apart here.
        case (.ipv6(0, 0, let port, _), .ipv4(_, let otherPort)): port == otherPort
        case (.unix(let own), .unix(let wanted)): own == wanted
        default: false
        }
    }

    func with(port: UInt16) -> SocketAddress {
        switch self {
        case .ipv4(let bytes, _): .ipv4(bytes, port: port)
        case .ipv6(let high, let low, _, let scope): .ipv6(high, low, port: port, scope: scope)
        case .unix: self
        }
    }
}
