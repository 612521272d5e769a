import Testing

@testable import UringEngine

/// Paths, and what getdents64(2) gives of a directory.
@Suite("A path") struct PathAloneTests {
    @Test func joinsWithOneSlash() {
        #expect(Path("a").appending("b") == "a/b")
        #expect(Path("a/").appending("b") == "a/b")
        #expect(Path("").appending("b") == "b")
        #expect(Path("/").appending("b") == "/b")
    }

    /// A name need not be UTF-8; only what a person reads replaces it.
    @Test func keepsItsBytes() {
        let path = Path(bytes: [0x61, 0xFF, 0x0A, 0x62])
        #expect(path.bytes == [0x61, 0xFF, 0x0A, 0x62])
        #expect(path.description == "a\u{FFFD}\u{FFFD}b")
        #expect(Path(String(repeating: "x", count: 300)).description.count == 201)
    }

    @Test(arguments: [0, 4_095, 4_096]) func hasALimit(count: Int) {
        let path = Path(bytes: [UInt8](repeating: 0x61, count: count))
        if count == 4_095 {
            #expect(throws: Never.self) { try path.check(for: .openFile) }
        } else {
            #expect(throws: IOError.self) { try path.check(for: .openFile) }
        }
    }

    private func record(_ name: String, type: UInt8 = 8, length: Int? = nil) -> [UInt8] {
        let length = length ?? 19 + name.utf8.count + 1
        var record = [UInt8](repeating: 0, count: 16)
        withUnsafeBytes(of: UInt16(length)) { record += Array($0) }
        return record + [type] + Array(name.utf8) + [0]
    }

    @Test func listsTheNamesOfADirectory() {
        let listing = DirectoryListing()
        let records =
            record(".", type: 4) + record("a") + record("..", type: 4) + record("b", type: 4)
        listing.append(records: records.span.bytes)
        #expect(listing.entries.map(\.name) == ["a", "b"])
        #expect(listing.entries.map(\.kind) == [.regular, .directory])
    }

    /// A length that leads nowhere ends the list; nothing beyond the records is read.
    @Test(arguments: [0, 1, 18, 19, 1_000, 65_535]) func endsAtABrokenRecord(length: Int) {
        let listing = DirectoryListing()
        let records = record("a") + record("b", length: length) + [1, 2, 3]
        listing.append(records: records.span.bytes)
        #expect(listing.entries.map(\.name) == ["a"])
    }
}
