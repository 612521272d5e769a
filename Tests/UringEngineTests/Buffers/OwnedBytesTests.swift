import Testing
import UringEngine

@Suite struct OwnedBytesTests {
    @Test func holdsWhatWasAppended() {
        let bytes = OwnedBytes(capacity: 8) { span in
            span.append(1 as UInt8, as: UInt8.self)
            span.append(UInt16(0x0302).littleEndian, as: UInt16.self)
        }
        #expect(bytes.byteCount == 3)
        #expect(array(bytes) == [1, 2, 3])
    }

    @Test(arguments: [0, 1])
    func mayBeEmpty(_ capacity: Int) {
        let bytes = OwnedBytes(capacity: capacity) { _ in }
        #expect(bytes.byteCount == 0)
        #expect(array(bytes) == [])
    }

    @Test func takesItsWholeCapacity() {
        let bytes = OwnedBytes(capacity: 100_000) { span in
            while span.freeCapacity > 0 { span.append(UInt8(7), as: UInt8.self) }
        }
        #expect(array(bytes) == Array(repeating: 7, count: 100_000))
    }

    @Test func copiesASpan() {
        let source: [UInt8] = [4, 5, 6]
        let bytes = OwnedBytes(copying: source.span.bytes)
        #expect(array(bytes) == source)
        #expect(array(OwnedBytes(copying: [UInt8]().span.bytes)) == [])
    }

    @Test func isNotMadeWhenItsFillingThrows() {
        struct Refusal: Error {}
        #expect(throws: Refusal.self) {
            _ = try OwnedBytes(capacity: 4) { span throws(Refusal) in
                span.append(UInt8(1), as: UInt8.self)
                throw Refusal()
            }
        }
    }

    private func array(_ bytes: borrowing OwnedBytes) -> [UInt8] {
        bytes.withBytes { span in span.withUnsafeBytes { Array($0) } }
    }
}
