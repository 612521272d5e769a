import Testing
import UringEngine

@Suite struct OperationTokenTests {
    private static let edges: [UInt32] = [0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, .max]

    private func expectRoundTrip(generation: UInt32, kind: OperationKind, slot: UInt32) {
        let token = OperationToken(
            generation: Generation(rawValue: generation),
            kind: kind,
            slot: SlotIndex(rawValue: slot)
        )
        let read = OperationToken(rawValue: token.rawValue)
        #expect(read.generation.rawValue == generation & Generation.mask)
        #expect(read.kind == kind)
        #expect(read.slot.rawValue == slot)
    }

    @Test func readsBackWhatWasPackedAtTheEdges() {
        for generation in Self.edges {
            for slot in Self.edges {
                for kind in OperationKind.allCases {
                    expectRoundTrip(generation: generation, kind: kind, slot: slot)
                }
            }
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func readsBackRandomParts(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<2_000 {
            expectRoundTrip(
                generation: .random(in: 0 ... .max, using: &generator),
                kind: OperationKind.allCases.randomElement(using: &generator) ?? .poll,
                slot: .random(in: 0 ... .max, using: &generator)
            )
        }
    }

    @Test func acceptsAnyWord() {
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<2_000 {
            let word = UInt64.random(in: 0 ... .max, using: &generator)
            let token = OperationToken(rawValue: word)
            #expect(token.generation.rawValue == UInt32(word >> 40) & Generation.mask)
            #expect(token.kind?.rawValue ?? UInt8(word >> 32 & 0xFF) == UInt8(word >> 32 & 0xFF))
            #expect(token.slot.rawValue == UInt32(word & 0xFFFF_FFFF))
        }
        #expect(OperationToken(rawValue: 0).kind == nil, "no operation has the kind zero")
    }

    @Test func wrapsAGenerationAfterItsLastBit() {
        #expect(Generation(rawValue: Generation.mask).next == .first)
        #expect(Generation(rawValue: 1).next == Generation(rawValue: 2))
        let last = OperationToken(
            generation: Generation(rawValue: Generation.mask),
            kind: .send,
            slot: SlotIndex(rawValue: 7)
        )
        #expect(
            last.next
                == OperationToken(generation: .first, kind: .send, slot: SlotIndex(rawValue: 7))
        )
    }
}
