import CUring
import Glibc
import Testing
import UringEngine

@Suite struct SocketAddressTests {
    private func stored(_ address: SocketAddress) throws -> cu_address {
        var form = cu_address()
        try address.store(in: &form)
        return form
    }

    @Test(arguments: [
        ("127.0.0.1", "127.0.0.1:80"), ("0.0.0.0", "0.0.0.0:80"),
        ("255.255.255.255", "255.255.255.255:80"), ("::", "[::]:80"), ("::1", "[::1]:80"),
        ("2001:db8::8:800:200c:417a", "[2001:db8::8:800:200c:417a]:80"),
        ("::ffff:1.2.3.4", "[::ffff:1.2.3.4]:80"), ("fe80::1%2", "[fe80::1%2]:80"),
        ("fe80::1%4294967295", "[fe80::1%4294967295]:80"),
    ])
    func readsAndDescribes(host: String, text: String) throws {
        let address = try SocketAddress(host: host, port: 80)
        #expect(address.description == text)
        #expect(address.port == 80)
        #expect(SocketAddress(try stored(address)) == address)
    }

    @Test(arguments: [
        "", " ", "localhost", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4 ", "1.2.3.4\0", "\0",
        "127.0.0.1\0.evil", ":::", "[::1]", "::1\0", "fe80::1%", "fe80::1%0", "fe80::1%eth0",
        "fe80::1%+2", "fe80::1%-1", "fe80::1%4294967296", "127.0.0.1%1", "1.2.3.4:80", "%1", "%",
        "fe80::1%2%3", "١.٢.٣.٤",
    ])
    func refusesWhatIsNoNumericAddress(host: String) {
        let error = #expect(throws: IOError.self) { try SocketAddress(host: host, port: 1) }
        #expect(error?.operation == .parseAddress)
        #expect(error?.reason == .invalidArgument)
        #expect(error?.detail?.contains("'\(host)'") == true, "the message names the text")
    }

    @Test(arguments: [0, 1, 255, 256, 32_767, 65_535] as [UInt16])
    func keepsEveryPort(port: UInt16) throws {
        let addresses = [
            SocketAddress.ipv4(0x0102_0304, port: port), .ipv6(1, 2, port: port, scope: 0),
        ]
        for address in addresses {
            #expect(SocketAddress(try stored(address)) == address)
            #expect(address.port == port)
        }
    }

    @Test func writesNetworkByteOrder() throws {
        let form = try stored(.ipv4(0x7F00_0001, port: 0x1F90))
        let bytes = withUnsafeBytes(of: form.storage) { Array($0.prefix(8)) }
        #expect(Array(bytes[2...]) == [0x1F, 0x90, 127, 0, 0, 1])
        #expect(form.length == 16)
        #expect(try stored(.ipv6(0, 1, port: 1, scope: 0)).length == 28)
    }

    @Test(arguments: [1, 2, 100, 107]) func keepsUnixPaths(count: Int) throws {
        let address = SocketAddress.unix([UInt8](repeating: 0x61, count: count))
        let form = try stored(address)
        #expect(Int(form.length) == 2 + count + 1, "the path ends with a zero byte")
        #expect(SocketAddress(form) == address)
        #expect(address.port == nil)
    }

    @Test func keepsAbstractNames() throws {
        let longest: [UInt8] = [0] + [UInt8](repeating: 0x62, count: 107)
        for name in [[0], [0, 0x61], [0, 0x61, 0, 0x62], longest] as [[UInt8]] {
            let form = try stored(.unix(name))
            #expect(Int(form.length) == 2 + name.count)
            #expect(SocketAddress(form) == .unix(name))
        }
    }

    private static let badPaths: [[UInt8]] = [
        [], [UInt8](repeating: 0x61, count: 108), [UInt8](repeating: 0x61, count: 4_096),
        [0x61, 0], [0x61, 0, 0x62], [0] + [UInt8](repeating: 0x61, count: 108),
    ]

    @Test(arguments: badPaths) func refusesPathsThatTheKernelCannotTake(path: [UInt8]) {
        let error = #expect(throws: IOError.self) { _ = try stored(.unix(path)) }
        #expect(error?.reason == .invalidArgument)
        #expect(error?.detail?.contains("\(path.count) bytes") == true)
    }

    @Test func describesUnixAddresses() {
        #expect(SocketAddress.unix(Array("/run/x".utf8)).description == "unix:/run/x")
        #expect(SocketAddress.unix([0] + Array("name".utf8)).description == "unix:@name")
        #expect(SocketAddress.unix([]).description == "unix:")
    }

    @Test func readsNoForeignFamily() {
        var form = cu_address()
        form.storage.ss_family = sa_family_t(AF_NETLINK)
        form.length = 12
        #expect(SocketAddress(form) == nil)
        #expect(SocketAddress(cu_address()) == nil)
    }

    @Test func readsAnUnnamedUnixPeer() {
        var form = cu_address()
        form.storage.ss_family = sa_family_t(AF_UNIX)
        for length in [0, 1, 2] as [UInt32] {
            form.length = length
            #expect(SocketAddress(form) == .unix([]))
        }
        form.length = .max
        #expect(SocketAddress(form) != nil, "a length of the kernel's is cut to the structure")
    }
}
