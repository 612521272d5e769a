import Testing

@testable import UringLoad

@Suite("The byte pattern")
struct BytePatternTests {
    private func bytes(_ pattern: BytePattern, at place: Int, count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        pattern.withRun(at: place, byteCount: count) { run in
            bytes = run.withUnsafeBytes { Array($0) }
        }
        return bytes
    }

    private func matches(_ pattern: BytePattern, _ bytes: [UInt8], at place: Int) -> Bool {
        pattern.matches(bytes.span.bytes, at: place)
    }

    @Test func matchesItselfAtEveryLength() {
        let pattern = BytePattern(messageBytes: 64)
        for count in 0...300 {
            #expect(matches(pattern, bytes(pattern, at: 5, count: count), at: 5))
        }
    }

    @Test func goesOnAtTheTablesBeginningAfterItsEnd() {
        let pattern = BytePattern(messageBytes: 64)
        let place = pattern.period - 10
        let run = bytes(pattern, at: place, count: 30)
        #expect(pattern.place(10, after: place) == 0)
        #expect(Array(run[10...]) == bytes(pattern, at: 0, count: 20))
    }

    @Test func checksSlicesLongerThanARun() {
        let pattern = BytePattern(messageBytes: 1 << 20)
        var (message, place) = ([UInt8](), 77)
        for _ in 0..<5 {
            message += bytes(pattern, at: place, count: BytePattern.runBytes)
            place = pattern.place(BytePattern.runBytes, after: place)
        }
        #expect(matches(pattern, message, at: 77))
        message[4 * BytePattern.runBytes + 3] ^= 1
        #expect(!matches(pattern, message, at: 77))
    }

    @Test(arguments: [1, 64, 4_096, 16_384, 65_536, 131_071, 262_142, 1 << 20, 16 << 20])
    func differsFromMessageToMessage(_ messageBytes: Int) {
        let pattern = BytePattern(messageBytes: messageBytes)
        var place = pattern.origin(ofConnection: 3)
        var seen: Set<[UInt8]> = []
        for _ in 0..<64 {
            seen.insert(bytes(pattern, at: place, count: 32))
            place = pattern.place(messageBytes, after: place)
        }
        #expect(seen.count == 64)
    }

    @Test(arguments: [64, 131_071])
    func givesEachConnectionAnOriginOfItsOwn(_ messageBytes: Int) {
        let pattern = BytePattern(messageBytes: messageBytes)
        let connections = LoadPlan.connectionsRange.upperBound
        let origins = Set((0..<connections).map(pattern.origin))
        #expect(origins.count == connections)
        #expect(origins.allSatisfy { (0..<pattern.period).contains($0) })
    }

    @Test(arguments: [1, 64, 512, 4_096, 16_384, 1 << 20])
    func keepsConnectionsApartThatGoInStep(_ messageBytes: Int) {
        let pattern = BytePattern(messageBytes: messageBytes)
        var seen: Set<[UInt8]> = []
        for connection in 0..<50 {
            var place = pattern.origin(ofConnection: connection)
            for _ in 0..<50 {
                seen.insert(bytes(pattern, at: place, count: 16))
                place = pattern.place(messageBytes, after: place)
            }
        }
        #expect(seen.count == 2_500, "a reply of another connection or message is noticed")
    }

    @Test func noticesAnyByteThatChanged() {
        let pattern = BytePattern(messageBytes: 64)
        let right = bytes(pattern, at: 1_000, count: 64)
        for index in right.indices {
            var wrong = right
            wrong[index] ^= 0x80
            #expect(!matches(pattern, wrong, at: 1_000))
        }
    }

    @Test func noticesBytesInAnotherOrder() {
        let pattern = BytePattern(messageBytes: 64)
        let right = bytes(pattern, at: 0, count: 64)
        #expect(!matches(pattern, Array(right[32...] + right[..<32]), at: 0))
        #expect(!matches(pattern, right, at: 1))
    }

    @Test func saysHowManyBytesAreWrongAndWhichIsFirst() {
        let pattern = BytePattern(messageBytes: 64)
        var wrong = bytes(pattern, at: pattern.period - 4, count: 64)
        let expected = wrong[5]
        wrong[5] ^= 0xFF
        wrong[63] ^= 1
        let mismatch = pattern.mismatch(of: wrong.span.bytes, at: pattern.period - 4)
        #expect(
            mismatch
                == BytePattern.Mismatch(
                    wrongBytes: 2,
                    offset: 5,
                    byte: expected ^ 0xFF,
                    expected: expected
                )
        )
    }
}
