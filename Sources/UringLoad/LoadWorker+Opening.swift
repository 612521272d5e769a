internal import Glibc
internal import UringCore

/// Connecting: all before the first message, so that the window measures exchanges alone.
extension LoadWorker {
    /// Begins to connect, as many as may at once; each that stands is followed by another.
    func openFirst() {
        for _ in 0..<min(Self.openingMax, numbers.count) { openNext() }
    }

    private func openNext() {
        guard nextNumber < numbers.upperBound else { return }
        let number = nextNumber
        nextNumber += 1
        let connection = LoadConnection(number: number, worker: self)
        loop.connect(
            to: addresses,
            makeHandler: { connection },
            completion: { self.opened(connection, $0) }
        )
    }

    private func opened(_ connection: LoadConnection, _ outcome: Result<StreamTransport, any Error>)
    {
        switch outcome {
        case .failure(let error):
            coordinator.fail("\(error)\(Self.hint(for: error))")
        case .success(let transport):
            guard phase == .connecting else { return transport.abort() }
            connections.append(connection)
            liveCount += 1
            guard connections.count < numbers.count else { return allStand() }
            openNext()
        }
    }

    private func allStand() {
        // The timetable goes by number, the connections stand in the order of the answers.
        connections.sort { $0.number < $1.number }
        phase = .waiting
        coordinator.workerIsReady()
    }

    private static func hint(for error: any Error) -> String {
        guard (error as? IOError)?.errno == Errno(rawValue: EADDRNOTAVAIL) else { return "" }
        return "; no local address leads there, or all its ports are in use "
            + "(net.ipv4.ip_local_port_range)"
    }
}
