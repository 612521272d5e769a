import Glibc

@testable import UringEngine

/// The other end of a connection: a blocking socket.
final class Peer: PeerSocket, @unchecked Sendable {
    /// Acknowledge each piece at once.
    ///
    /// Otherwise a sender whose whole buffer is one segment waits 40 ms for each delayed
    /// acknowledgement, whatever it is built on.
    var acknowledgesAtOnce = false

    /// How the other side ended.
    enum Ending: Equatable {
        case eof
        case reset
    }

    struct Buffers {
        var send: Int32?
        var receive: Int32?

        /// For a peer that sends as much as there is room for: megabytes as a rule, which a tiny build
        /// would take in by 64 bytes.
        static let flood = Buffers(send: StandardSizes.areTiny ? 16_384 : nil)
    }

    /// A socket that connects later.
    init(towards address: SocketAddress, _ buffers: Buffers = Buffers()) throws {
        try super.init(for: address)
        if let send = buffers.send { setOption(SO_SNDBUF, send) }
        if let receive = buffers.receive { setOption(SO_RCVBUF, receive) }
    }

    override init(adopting descriptor: Int32) {
        super.init(adopting: descriptor)
    }

    convenience init(to address: SocketAddress, _ buffers: Buffers = Buffers()) throws {
        try self.init(towards: address, buffers)
        try connect(to: address)
    }

    func connect(to address: SocketAddress) throws {
        let result = try withAddress(address) { Glibc.connect(descriptor, $0, $1) }
        guard result == 0 else { throw PeerError("connect") }
    }

    /// Begins to connect without waiting; false when it failed at once.
    func beginConnect(to address: SocketAddress) throws -> Bool {
        let flags = fcntl(descriptor, F_GETFL)
        _ = fcntl(descriptor, F_SETFL, flags | O_NONBLOCK)
        let result = try withAddress(address) { Glibc.connect(descriptor, $0, $1) }
        let isUnderWay = result == 0 || errno == EINPROGRESS
        _ = fcntl(descriptor, F_SETFL, flags)
        return isUnderWay
    }

    // MARK: Sending

    func send(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { bytes in
            var sent = 0
            while sent < bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[sent...])
                let count = Glibc.send(
                    descriptor,
                    rest.baseAddress,
                    rest.count,
                    Int32(MSG_NOSIGNAL)
                )
                guard count >= 0 else { throw PeerError("send") }
                sent += count
            }
        }
    }

    /// Sends the pattern's bytes of `range`.
    func send(_ pattern: Pattern, _ range: Range<Int>, pieceBytes: Int = 262_144) throws {
        var position = range.lowerBound
        while position < range.upperBound {
            let count = min(pieceBytes, range.upperBound - position)
            try send(pattern.bytes(at: position, count: count))
            position += count
        }
    }

    /// Sends the pattern from `position` on, in pieces, until the socket takes no more.
    ///
    /// - Returns: the position reached.
    func sendWhilePossible(_ pattern: Pattern, from position: Int, pieceBytes: Int) -> Int {
        var position = position
        while true {
            let bytes = pattern.bytes(at: position, count: pieceBytes)
            let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
            let count = Glibc.send(descriptor, bytes, bytes.count, flags)
            if count <= 0 { return position }
            position += count
        }
    }

    func endOutput() {
        shutdown(descriptor, Int32(SHUT_WR))
    }

    // MARK: Receiving

    /// Receives at most `countMax` bytes; none at the end of the stream.
    func receiveSome(_ countMax: Int) throws -> [UInt8] {
        // tcp(7): the flag is not permanent.
        if acknowledgesAtOnce { setTCPOption(TCP_QUICKACK, 1) }
        var failure: PeerError?
        let bytes = [UInt8](unsafeUninitializedCapacity: countMax) { buffer, filled in
            let count = recv(descriptor, buffer.baseAddress, countMax, 0)
            if count < 0 { failure = PeerError("recv") }
            filled = max(0, count)
        }
        if let failure { throw failure }
        return bytes
    }

    func receive(_ count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let some = try receiveSome(min(count - bytes.count, 262_144))
            guard !some.isEmpty else { throw EarlyEnd(wanted: count, got: bytes.count) }
            bytes += some
        }
        return bytes
    }

    /// Receives `range` of the pattern; throws at the first byte that is another.
    func expect(_ pattern: Pattern, _ range: Range<Int>, pieceBytes: Int = 262_144) throws {
        var position = range.lowerBound
        while position < range.upperBound {
            let some = try receiveSome(min(range.upperBound - position, pieceBytes))
            guard !some.isEmpty else { throw EarlyEnd(wanted: range.upperBound, got: position) }
            guard some.withUnsafeBytes({ pattern.matches($0, at: position) }) else {
                throw WrongByte(near: position)
            }
            position += some.count
        }
    }

    /// Receives to the end of the stream.
    ///
    /// - Returns: how many bytes came, and how it ended.
    func receiveToEnd() throws -> (byteCount: Int, ending: Ending) {
        var byteCount = 0
        do {
            while true {
                let some = try receiveSome(262_144)
                guard !some.isEmpty else { return (byteCount, .eof) }
                byteCount += some.count
            }
        } catch let error as PeerError where error.code == ECONNRESET || error.code == EPIPE {
            return (byteCount, .reset)
        }
    }

    /// Nothing more comes, and the stream ends as it says.
    func ending() throws -> Ending {
        let (byteCount, ending) = try receiveToEnd()
        guard byteCount == 0 else { throw UnexpectedBytes(byteCount: byteCount) }
        return ending
    }
}

/// The stream ended before everything had come.
struct EarlyEnd: Error {
    let wanted: Int
    let got: Int
}

/// A byte is not the one that was sent.
struct WrongByte: Error {
    let near: Int
}

/// Bytes came where none were sent.
struct UnexpectedBytes: Error {
    let byteCount: Int
}
