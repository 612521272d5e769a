import Testing
import UringCore

@testable import UringLoad

@Suite("A load target")
struct LoadTargetTests {
    @Test(arguments: [
        ("127.0.0.1:7000", ["127.0.0.1:7000"]), ("[::1]:7000", ["[::1]:7000"]),
        ("localhost:1", ["127.0.0.1:1", "[::1]:1"]), ("0.0.0.0:65535", ["0.0.0.0:65535"]),
        ("unix:/run/echo", ["unix:/run/echo"]), ("unix:relative:1", ["unix:relative:1"]),
        ("unix:@echo", ["unix:@echo"]),
    ])
    func readsAddresses(_ text: String, _ addresses: [String]) throws {
        #expect(try LoadTarget(text).addresses.map(\.description) == addresses)
    }

    @Test func takesAnAbstractNameForWhatItIs() throws {
        #expect(try LoadTarget("unix:@a").addresses == [.unix([0, UInt8(ascii: "a")])])
    }

    @Test(arguments: [
        "", ":", "7000", "127.0.0.1", "127.0.0.1:", ":7000", "127.0.0.1:0", "127.0.0.1:65536",
        "127.0.0.1:-1", "127.0.0.1:+7", "127.0.0.1: 7", "127.0.0.1:7 ", "::1:7000", "[::1]",
        "[::1]7000", "[127.0.0.1]:7000", "example.org:7000", "256.0.0.1:7000", "[::1%0]:7",
        "127.0.0.1:७",
    ])
    func refusesWhatIsNoAddressAndNamesIt(_ text: String) {
        let error = #expect(throws: ConfigurationError.self) { try LoadTarget(text) }
        #expect(error?.variable == "HOST:PORT")
        #expect(error?.value == text)
        #expect(error?.accepted.contains("[::1]:7000") == true)
    }

    @Test(arguments: [
        "unix:", "unix:@", "unix:a\0b", "unix:" + String(repeating: "p", count: 108),
    ])
    func refusesPathsThatASocketCannotHave(_ text: String) {
        let error = #expect(throws: ConfigurationError.self) { try LoadTarget(text) }
        #expect(error?.accepted.contains("1 to 107 bytes") == true)
    }

    @Test func takesTheLongestPathAndTheLongestName() throws {
        let path = String(repeating: "p", count: 107)
        #expect(try LoadTarget("unix:" + path).addresses == [.unix(Array(path.utf8))])
        #expect(try LoadTarget("unix:@" + path).addresses == [.unix([0] + Array(path.utf8))])
    }
}
