import Testing

@testable import UringEngine

@Suite struct OperationTableTests {
    private let table: OperationTable
    private let descriptor = SlotIndex(rawValue: 5)

    init() throws {
        table = try OperationTable(operationsMax: 2_048)
    }

    @Test func namesOneOperationFromBeginToEnd() {
        let token = table.begin(.receive, on: descriptor)
        table.checkInvariants()
        #expect(table.isInFlight(token))
        #expect(table.inFlightCount == 1)
        #expect(table[token.slot].descriptorSlot == descriptor)
        #expect(table[token.slot].token == token)
        #expect(token.kind == .receive)
        table.end(token.slot)
        table.checkInvariants()
        #expect(table.inFlightCount == 0)
        #expect(!table.isInFlight(token))
    }

    @Test func doesNotMistakeALaterUserOfTheSlot() {
        let first = table.begin(.send, on: descriptor)
        table.end(first.slot)
        let second = table.begin(.send, on: descriptor)
        #expect(second.slot == first.slot)
        #expect(second.generation == first.generation.next)
        #expect(!table.isInFlight(first))
        #expect(table.isInFlight(second))
    }

    @Test func doesNotMistakeAnotherKind() {
        let token = table.begin(.send, on: descriptor)
        let other = OperationToken(generation: token.generation, kind: .receive, slot: token.slot)
        #expect(!table.isInFlight(other))
    }

    @Test func resolvesNoForeignWord() {
        _ = table.begin(.send, on: descriptor)
        for word in [0, .max, 1 << 40, UInt64(UInt32.max)] as [UInt64] {
            #expect(!table.isInFlight(OperationToken(rawValue: word)))
        }
        table.countStale()
        #expect(table.staleCount == 1)
    }

    @Test func resolvesNoWordToAFreeSlot() {
        table.end(table.begin(.send, on: descriptor).slot)
        for word in [0, .max, 1 << 40, UInt64(UInt32.max)] as [UInt64] {
            #expect(!table.isInFlight(OperationToken(rawValue: word)))
        }
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func agreesWithAModel(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var live: [OperationToken] = []
        var over: [OperationToken] = []
        for step in 0..<3_000 {
            let grows = live.count < 1_500 && Int.random(in: 0..<100, using: &generator) < 55
            if grows || live.isEmpty {
                let token = table.begin(.poll, on: descriptor)
                #expect(!live.contains(token))
                live.append(token)
            } else {
                let token = live.remove(at: .random(in: 0..<live.count, using: &generator))
                table.end(token.slot)
                over.append(token)
            }
            if step % 50 == 0 { table.checkInvariants() }
        }
        table.checkInvariants()
        #expect(table.inFlightCount == live.count)
        for token in live { #expect(table.isInFlight(token)) }
        // In a tiny build a generation comes round again.
        for token in over where !live.contains(token) { #expect(!table.isInFlight(token)) }
    }

    @Test func trapsWhenAnOperationEndsTwice() async {
        await #expect(processExitsWith: .failure) {
            let table = try OperationTable(operationsMax: 8)
            let token = table.begin(.send, on: .none)
            table.end(token.slot)
            table.end(token.slot)
        }
    }

    @Test func trapsBeyondItsLimit() async {
        await #expect(processExitsWith: .failure) {
            let table = try OperationTable(operationsMax: 1_024)
            for _ in 0...1_024 { _ = table.begin(.send, on: .none) }
        }
    }
}
