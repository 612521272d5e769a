import UringEngine

/// The descriptors that a `ScriptedDriver` handed out: numbers of its own, never of this process.
///
/// > Thread: On-loop only.
struct ScriptedDescriptorTable {
    // Far above what a test process has open: a number that slips into a real system call gets
    // EBADF.
    private static let firstNumber: Int32 = 1_000_000
    private static let firstPort: UInt16 = 40_000

    /// All that were ever handed out, closed ones included.
    private(set) var all: [Descriptor: ScriptedDescriptor] = [:]
    /// The lowest closed number is handed out again, as a kernel does.
    var reusesNumbers = false
    private var handedOutCount: Int32 = 0
    private var portsGiven: UInt16 = 0

    /// Those that are not closed, lowest first.
    var open: [Descriptor] {
        all.filter { $0.value.state != .closed }.keys.sorted { $0.rawValue < $1.rawValue }
    }

    /// The state of one that is not closed; nil for a closed or foreign number.
    func openDescriptor(_ descriptor: Descriptor) -> ScriptedDescriptor? {
        all[descriptor].flatMap { $0.state == .closed ? nil : $0 }
    }

    /// Hands out a number.
    mutating func add(_ value: ScriptedDescriptor) -> Descriptor {
        let closed = reusesNumbers ? all.filter { $0.value.state == .closed }.keys : [:].keys
        let lowest = closed.min { $0.rawValue < $1.rawValue }
        let descriptor = lowest ?? Descriptor(rawValue: Self.firstNumber + handedOutCount)
        if lowest == nil { handedOutCount += 1 }
        all[descriptor] = value
        return descriptor
    }

    /// Changes one; a foreign number is left alone.
    mutating func update(_ descriptor: Descriptor, _ change: (inout ScriptedDescriptor) -> Void) {
        guard var value = all[descriptor] else { return }
        change(&value)
        all[descriptor] = value
    }

    /// The address that binding to `address` gives: a port of zero becomes a free one.
    mutating func resolved(_ address: SocketAddress) -> SocketAddress {
        guard address.port == 0 else { return address }
        let port = Self.firstPort + portsGiven
        portsGiven += 1
        switch address {
        case .ipv4(let bytes, _): return .ipv4(bytes, port: port)
        case .ipv6(let high, let low, _, let scope):
            return .ipv6(high, low, port: port, scope: scope)
        case .unix: return address
        }
    }
}
