import Testing

@testable import UringLoad

@Suite("A connection's ledger")
struct EchoLedgerTests {
    private func ledger(messageBytes: Int, begun: Int) -> EchoLedger {
        var ledger = EchoLedger(messageBytes: messageBytes)
        ledger.begin(begun)
        ledger.wrote(begun * messageBytes)
        return ledger
    }

    @Test func owesWhatWasBegunUntilItIsWritten() {
        var ledger = EchoLedger(messageBytes: 10)
        ledger.begin(3)
        #expect(ledger.owedBytes == 30)
        #expect(ledger.awaitedBytes == 0)
        ledger.wrote(12)
        #expect(ledger.owedBytes == 18)
        #expect(ledger.awaitedBytes == 12)
        #expect(ledger.inFlightCount == 3)
    }

    /// Every way to cut three messages of four bytes into slices.
    @Test func completesTheSameMessagesHoweverTheyAreCut() {
        for cuts in 0..<(1 << 11) {
            var ledger = ledger(messageBytes: 4, begun: 3)
            var (slice, taken, completed) = (0, 0, 0)
            for position in 1...12 {
                slice += 1
                guard position == 12 || cuts >> (position - 1) & 1 == 1 else { continue }
                completed += ledger.took(slice)
                taken += slice
                slice = 0
                #expect(completed == taken / 4)
                #expect(ledger.incomingOffset == taken % 4)
                #expect(ledger.answeredCount == completed)
                #expect(ledger.awaitedBytes == 12 - taken)
            }
            #expect(ledger.inFlightCount == 0)
        }
    }

    @Test func takesMessagesOfOneByte() {
        var ledger = ledger(messageBytes: 1, begun: 5)
        #expect(ledger.took(2) == 2)
        #expect(ledger.took(3) == 3)
        #expect(ledger.inFlightCount == 0)
    }
}
