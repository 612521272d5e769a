import UringEngine

/// What the timeout of a connect costs, kept by a timer of the loop and by the kernel (docs/decisions/0022).
///
/// Connections are made and reset over loopback, both ends on one loop; microseconds of the thread's CPU time, rounds in
/// turn.
final class Connects {
    private static let connectsPerRound = 500
    private static let rounds = 41

    private let loop: EventLoop
    private let listener: StreamListener
    private var left = 0
    private(set) var microseconds: [Double] = []

    init(linksTimeouts: Bool) throws {
        var options = LoopOptions()
        options.linksConnectTimeouts = linksTimeouts
        loop = try EventLoop(options)
        listener = try loop.listen(on: .ipv4(0x7F00_0001, port: 0)) { Leaving() }
    }

    /// Prints both, and the median of the rounds' ratios.
    static func compare() throws {
        let timer = try Connects(linksTimeouts: false)
        let kernel = try Connects(linksTimeouts: true)
        for round in 0..<rounds {
            for connects in round.isMultiple(of: 2) ? [timer, kernel] : [kernel, timer] {
                try connects.round()
            }
        }
        let ratios = zip(kernel.microseconds, timer.microseconds).map { $0 / $1 }.sorted()
        print("a timer of the loop: \(hundredths(timer.median)) µs a connection, reset included")
        print("a linked timeout:    \(hundredths(kernel.median)) µs")
        print(
            "ratio: \(hundredths(ratios[rounds / 2])), quartiles \(hundredths(ratios[rounds / 4])) to "
                + "\(hundredths(ratios[rounds * 3 / 4]))"
        )
        timer.loop.shutDown()
        kernel.loop.shutDown()
    }

    private var median: Double { microseconds.sorted()[microseconds.count / 2] }

    private func round() throws {
        let start = threadNanoseconds()
        left = Self.connectsPerRound
        connectNext()
        while left > 0 { try loop.runOnce(mayWait: true) }
        let spent = threadNanoseconds() - start
        microseconds.append(Double(spent) / 1_000 / Double(Self.connectsPerRound))
    }

    private func connectNext() {
        loop.connect(to: [listener.address], makeHandler: { Leaving() }, completion: connected)
    }

    private func connected(_ result: Result<StreamTransport, any Error>) {
        guard case .success(let transport) = result else { fatalError("\(result)") }
        transport.abort()
        left -= 1
        if left > 0 { connectNext() }
    }

    private static func hundredths(_ value: Double) -> String {
        let scaled = Int((value * 100).rounded())
        let rest = scaled % 100
        return "\(scaled / 100).\(rest < 10 ? "0" : "")\(rest)"
    }
}

/// Says nothing.
private final class Leaving: StreamHandler {
    func dataReceived(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) {}
}
