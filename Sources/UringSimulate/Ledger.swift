/// What the server's handlers did, for whoever compares it with what the clients saw.
///
/// > Thread: The simulation's.
final class Ledger: @unchecked Sendable {
    // Safety: a simulation is on one thread.

    /// What became of one client's connection.
    struct Account {
        /// Bytes that were read.
        var readCount = 0
        /// Bytes that a write took.
        var writtenCount = 0
        /// The handler saw the end of the stream and returned.
        var hasFinished = false
        /// The handler threw, or was told of an error.
        var failure: String?
    }

    private(set) var accounts: [Int: Account] = [:]
    /// What must never happen.
    private(set) var problems: [String] = []
    var openHandlers = 0

    subscript(number: Int) -> Account {
        get { accounts[number] ?? Account() }
        set { accounts[number] = newValue }
    }

    func report(_ problem: String) {
        problems.append(problem)
    }
}
