import CUring
import Glibc
import Testing

@testable import UringEngine

@Suite struct ControlMessagesTests {
    private struct Message {
        var level: Int32 = 17
        var type: Int32 = 104
        var data: [UInt8] = []
        /// Nil writes what is right.
        var length: UInt?
    }

    private func bytes(_ messages: [Message]) -> [UInt8] {
        var bytes: [UInt8] = []
        for message in messages {
            let length = message.length ?? UInt(16 + message.data.count)
            withUnsafeBytes(of: length) { bytes.append(contentsOf: $0) }
            withUnsafeBytes(of: message.level) { bytes.append(contentsOf: $0) }
            withUnsafeBytes(of: message.type) { bytes.append(contentsOf: $0) }
            bytes += message.data
            while bytes.count % 8 != 0 { bytes.append(0) }
        }
        return bytes
    }

    private func decode(_ bytes: [UInt8]) -> [ControlMessages.Element] {
        bytes.withUnsafeBytes { Array(ControlMessages($0)) }
    }

    private func segmentBytes(_ bytes: [UInt8]) -> Int? {
        bytes.withUnsafeBytes { ControlMessages.segmentBytes(in: $0) }
    }

    @Test func givesEachMessageWithItsData() {
        let all = bytes([
            Message(level: 1, type: 2, data: [1, 2, 3]), Message(level: 3, type: 4, data: []),
            Message(level: 5, type: 6, data: [9, 9, 9, 9, 9, 9, 9, 9]),
        ])
        #expect(
            decode(all) == [
                .init(level: 1, type: 2, data: 16..<19), .init(level: 3, type: 4, data: 40..<40),
                .init(level: 5, type: 6, data: 56..<64),
            ]
        )
    }

    @Test func theLastNeedsNoPadding() {
        var all = bytes([Message(data: [1, 0, 0, 0])])
        all.removeLast(4)
        #expect(decode(all) == [.init(level: 17, type: 104, data: 16..<20)])
    }

    @Test(arguments: [0, 1, 15, 25, 1 << 40, UInt.max] as [UInt])
    func aLengthThatLiesEndsThem(length: UInt) {
        let all = bytes([Message(data: [1, 0, 0, 0], length: length), Message()])
        let alone = Array(all[..<24])
        #expect(decode(alone).isEmpty)
    }

    @Test func everyPrefixEndsWithoutATrap() {
        let all = bytes([Message(data: [1, 0, 0, 0]), Message(level: 1, data: [1, 2, 3, 4, 5])])
        for count in 0...all.count {
            let found = decode(Array(all[..<count]))
            #expect(found.count <= 2)
            #expect(found.allSatisfy { $0.data.upperBound <= count })
        }
    }

    @Test func tellsTheSizeOfSegments() {
        #expect(segmentBytes(bytes([Message(data: [0x40, 0x05, 0, 0])])) == 1_344)
        #expect(segmentBytes(bytes([Message(level: 1), Message(data: [1, 0, 0, 0])])) == 1)
    }

    @Test func tellsNoSizeThatNoSegmentHas() {
        #expect(segmentBytes([]) == nil)
        #expect(segmentBytes(bytes([Message(data: [0, 0, 0, 0])])) == nil)
        #expect(segmentBytes(bytes([Message(data: [0, 0, 0, 0x80])])) == nil)
        #expect(segmentBytes(bytes([Message(data: [1, 0])])) == nil)
        #expect(segmentBytes(bytes([Message(level: 1, data: [1, 0, 0, 0])])) == nil)
    }
}

@Suite struct MessageHeadTests {
    private func head(
        _ words: (UInt32, UInt32, UInt32, UInt32),
        byteCount: Int,
        _ layout: MessageLayout
    ) -> MessageHead? {
        var bytes = [UInt8](repeating: 0, count: byteCount)
        withUnsafeBytes(of: words) { head in
            for (position, byte) in head.enumerated() where position < byteCount {
                bytes[position] = byte
            }
        }
        return bytes.withUnsafeBytes { MessageHead($0, layout: layout) }
    }

    private static let layout = MessageLayout(nameBytes: 16, controlBytes: 24)

    @Test func tellsWhereThePartsAre() {
        let head = head((16, 20, 5, 0), byteCount: 61, Self.layout)
        #expect(head?.name == 16..<32 && head?.control == 32..<52 && head?.payload == 56..<61)
        #expect(head?.isTruncated == false)
    }

    @Test func anEmptyDatagramHasAnEmptyPayload() {
        let head = head((16, 0, 0, 0), byteCount: 56, Self.layout)
        #expect(head?.payload == 56..<56 && head?.control == 32..<32)
    }

    @Test func lengthsThatLieAreCutToTheLayout() {
        let head = head((.max, .max, .max, .max), byteCount: 100, Self.layout)
        #expect(head?.name == 16..<32 && head?.control == 32..<56 && head?.payload == 56..<100)
        #expect(head?.isTruncated == true)
    }

    @Test func tooFewBytesAreNoDatagram() {
        for count in 0..<56 { #expect(head((16, 0, 0, 0), byteCount: count, Self.layout) == nil) }
    }

    @Test(arguments: [
        (AF_INET, 32), (AF_INET6, 48), (AF_UNIX, 16 + 112),
    ])
    func theLayoutHasRoomForAnAddressOfTheFamily(family: Int32, offset: Int) {
        let open = MessageLayout(family: family, isConnected: false, receivesSegments: false)
        #expect(open.payloadOffset == offset)
        let connected = MessageLayout(family: family, isConnected: true, receivesSegments: true)
        #expect(connected.payloadOffset == 16 + 24)
    }
}

@Suite struct KernelBytesTests {
    @Test(arguments: [
        SocketAddress.ipv4(0x7F00_0001, port: 7), .ipv6(1, 2, port: 3, scope: 4),
        .unix(Array("/run/x".utf8)), .unix([0] + Array("name".utf8)),
        .unix(Array(repeating: 0x61, count: 107)),
    ])
    func readsWhatTheKernelIsGiven(address: SocketAddress) throws {
        var form = cu_address()
        try address.storeQuickly(in: &form)
        let count = Int(form.length)
        let bytes = withUnsafeBytes(of: form.storage) { Array($0.prefix(count)) }
        #expect(bytes.withUnsafeBytes { SocketAddress(kernelBytes: $0) } == address)
        var slowly = cu_address()
        try address.store(in: &slowly)
        #expect(withUnsafeBytes(of: slowly.storage) { Array($0.prefix(count)) } == bytes)
        #expect(slowly.length == form.length)
    }

    @Test func everyPrefixIsReadWithoutATrap() {
        for family in [AF_INET, AF_INET6, AF_UNIX, 77] {
            var bytes = [UInt8](repeating: 7, count: 140)
            bytes[0] = UInt8(family)
            bytes[1] = 0
            for count in 0...bytes.count {
                let address = bytes.prefix(count).withUnsafeBytes { SocketAddress(kernelBytes: $0) }
                #expect(address == nil || address?.family == family)
            }
        }
    }
}
