import Testing

@testable import UringEngine

@Suite struct SocketOptionTests {
    private static let control = SystemSockets()

    private func withSocket(
        _ address: SocketAddress,
        _ body: (Descriptor) throws -> Void
    ) throws {
        let descriptor = try Self.control.openStreamSocket(for: address)
        defer { Self.control.close(descriptor) }
        try body(descriptor)
    }

    @Test(arguments: [
        SocketOption.reuseAddress(true), .reusePort(true), .noDelay(true), .keepAlive(true),
        .keepAliveIdle(.seconds(33)), .keepAliveInterval(.seconds(7)), .keepAliveCount(5),
        .userTimeout(.milliseconds(1_234)), .quickAck(false), .fastOpenConnect(true),
        .fastOpenQueue(16), .trafficClass(0x28), .priority(4), .device(""),
    ])
    func whatIsSetCanBeRead(option: SocketOption) throws {
        let key = try #require(option.key)
        try withSocket(.ipv4(0x7F00_0001, port: 0)) { descriptor in
            try Self.control.setOption(option, on: descriptor)
            #expect(try Self.control.option(key, of: descriptor) == option)
        }
    }

    @Test func optionsOfIPv6AreThoseOfIPv6() throws {
        try withSocket(.ipv6(0, 1, port: 0, scope: 0)) { descriptor in
            for option in [SocketOption.onlyIPv6(true), .trafficClass(0x48)] {
                let key = try #require(option.key)
                try Self.control.setOption(option, on: descriptor)
                #expect(try Self.control.option(key, of: descriptor) == option)
            }
        }
    }

    @Test func bufferSizesAreDoubledByTheKernel() throws {
        try withSocket(.ipv4(0x7F00_0001, port: 0)) { descriptor in
            try Self.control.setOption(.sendBufferBytes(20_000), on: descriptor)
            let read = try Self.control.option(.sendBufferBytes, of: descriptor)
            #expect(read == .sendBufferBytes(40_000))
        }
    }

    @Test(arguments: [
        SocketOption.keepAliveIdle(.zero), .keepAliveIdle(.milliseconds(1_500)),
        .keepAliveIdle(.seconds(32_768)), .keepAliveInterval(.seconds(-1)), .keepAliveCount(0),
        .keepAliveCount(128), .userTimeout(.milliseconds(-1)), .fastOpenQueue(-1),
        .fastOpenQueue(65_536), .priority(7), .priority(-1), .device("a name that is too long"),
        .device("a/b"), .sendBufferBytes(-1), .receiveBufferBytes(1 << 31),
    ])
    func whatIsOutOfRangeIsAnErrorThatSaysWhatIsAccepted(option: SocketOption) throws {
        try withSocket(.ipv4(0x7F00_0001, port: 0)) { descriptor in
            do throws(IOError) {
                try Self.control.setOption(option, on: descriptor)
                Issue.record("\(option) was taken")
            } catch {
                #expect(error.reason == .invalidArgument)
                #expect(error.detail?.contains("accepted") == true)
            }
        }
    }

    @Test func anOptionOfTCPOnAUnixSocketIsTheKernelsError() throws {
        try withSocket(.unix(Array("/nowhere".utf8))) { descriptor in
            #expect(throws: IOError.self) {
                try Self.control.setOption(.keepAliveCount(3), on: descriptor)
            }
            #expect(throws: IOError.self) {
                try Self.control.option(.keepAliveCount, of: descriptor)
            }
        }
    }

    @Test func anInterfaceThatIsNotThereIsTheKernelsError() throws {
        try withSocket(.ipv4(0x7F00_0001, port: 0)) { descriptor in
            do throws(IOError) {
                try Self.control.setOption(.device("nosuch0"), on: descriptor)
                Issue.record("there is no such interface")
            } catch {
                #expect(error.errno != nil)
            }
        }
    }
}
