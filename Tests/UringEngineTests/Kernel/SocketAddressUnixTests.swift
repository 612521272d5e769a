import Testing
import UringEngine

@Suite struct SocketAddressUnixTests {
    private static let longest = String(repeating: "a", count: 107)

    @Test(arguments: ["/run/x", "x", "@x", " ", "/tmp/ä", longest])
    func readsPaths(path: String) throws {
        #expect(try SocketAddress(unixPath: path) == .unix(Array(path.utf8)))
        #expect(try SocketAddress(unixPath: path).unixPath == Array(path.utf8))
    }

    @Test(arguments: ["x", "/run/x", "ä", longest])
    func readsAbstractNames(name: String) throws {
        let address = try SocketAddress(abstractName: name)
        #expect(address == .unix([0] + Array(name.utf8)))
        #expect(address.description == "unix:@" + name)
        #expect(address.unixPath == nil)
    }

    @Test(arguments: ["", longest + "a", "/tmp/" + longest, "a\0b", "\0a", "a\0"])
    func refusesWhatTheKernelCannotTake(text: String) {
        let count = text.utf8.count
        let shown = text.split(separator: "\0", omittingEmptySubsequences: false)
            .joined(separator: "\\0")
        let ending = "has 1 to 107 bytes and no zero byte; got \(count) bytes: '\(shown)'"
        let errors = [
            #expect(throws: IOError.self) { try SocketAddress(unixPath: text) },
            #expect(throws: IOError.self) { try SocketAddress(abstractName: text) },
        ]
        for (error, what) in zip(errors, ["a Unix path", "an abstract name"]) {
            #expect(error?.operation == .parseAddress)
            #expect(error?.reason == .invalidArgument)
            #expect(error?.detail == "\(what) \(ending)")
        }
    }

    @Test func cutsAVeryLongValueInItsMessage() {
        let text = String(repeating: "b", count: 1_000_000)
        let error = #expect(throws: IOError.self) { try SocketAddress(unixPath: text) }
        #expect(error?.detail?.contains("got 1000000 bytes: 'bbb") == true)
        #expect(error?.detail?.count ?? .max < 300)
    }

    @Test func namesNoFileWhereThereIsNone() {
        #expect(SocketAddress.unix([]).unixPath == nil)
        #expect(SocketAddress.ipv4(1, port: 1).unixPath == nil)
    }

    @Test func describesPermissionsInOctal() {
        #expect((0o660 as FilePermissions).description == "0o660")
        #expect(FilePermissions(rawValue: 0).description == "0o0")
    }
}
