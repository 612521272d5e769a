import Glibc
import UringCore

/// A system call that a client needed and that failed.
struct ClientError: Error, CustomStringConvertible {
    let call: String
    let code: Int32

    init(_ call: String) {
        self.call = call
        self.code = errno
    }

    var description: String { "\(call) failed: \(Errno(rawValue: code))" }
}

/// The stream ended, or differs, before all that was expected had come.
struct WrongStream: Error {
    let wantedBytes: Int
    let rightBytes: Int
}

/// The other end of a connection: a blocking socket, made without the runtime.
///
/// No call blocks for ever. Used on one thread at a time; one may send while another receives.
final class BlockingClient: @unchecked Sendable {
    // Sendable: the kernel takes care of concurrent calls; a test closes it when they have ended.
    private(set) var descriptor: Int32

    /// How the server ended.
    enum Ending: Equatable {
        case eof
        case reset
    }

    /// Connects; small buffers let a test fill them.
    init(to address: SocketAddress, sendBuffer: Int32? = nil, receiveBuffer: Int32? = nil) throws {
        guard case .ipv4(let host, let port) = address else {
            preconditionFailure("tests listen on 127.0.0.1")
        }
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        descriptor = socket(AF_INET, type, 0)
        guard descriptor >= 0 else { throw ClientError("socket") }
        var patience = timeval(tv_sec: EventGate.patienceSeconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, size)
        if let sendBuffer { setOption(SO_SNDBUF, sendBuffer) }
        if let receiveBuffer { setOption(SO_RCVBUF, receiveBuffer) }
        var form = sockaddr_in()
        form.sin_family = sa_family_t(AF_INET)
        form.sin_port = port.bigEndian
        form.sin_addr.s_addr = host.bigEndian
        let result = withUnsafeBytes(of: &form) { bytes in
            bytes.withMemoryRebound(to: sockaddr.self) {
                Glibc.connect(descriptor, $0.baseAddress, socklen_t(bytes.count))
            }
        }
        guard result == 0 else {
            let error = ClientError("connect")
            close()
            throw error
        }
    }

    deinit {
        close()
    }

    func close() {
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }

    /// Closes with RST.
    func reset() {
        var none = linger(l_onoff: 1, l_linger: 0)
        let size = socklen_t(MemoryLayout<linger>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &none, size)
        close()
    }

    private func setOption(_ name: Int32, _ value: Int32) {
        var value = value
        setsockopt(descriptor, SOL_SOCKET, name, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    // MARK: Sending

    func send(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { bytes in
            var sent = 0
            while sent < bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[sent...])
                let flags = Int32(MSG_NOSIGNAL)
                let count = Glibc.send(descriptor, rest.baseAddress, rest.count, flags)
                guard count >= 0 else { throw ClientError("send") }
                sent += count
            }
        }
    }

    /// Sends pieces of `pieceBytes` until the socket has taken none for a while, or `bytesMax` are gone.
    ///
    /// - Returns: how many bytes it took.
    func sendWhilePossible(pieceBytes: Int, bytesMax: Int) -> Int {
        let piece = [UInt8](repeating: 7, count: pieceBytes)
        var sent = 0
        while sent < bytesMax {
            let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
            let count = Glibc.send(descriptor, piece, piece.count, flags)
            if count > 0 {
                sent += count
                continue
            }
            var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&entry, 1, 300) == 1, entry.revents & Int16(POLLOUT) != 0 else { break }
        }
        return sent
    }

    func endOutput() {
        shutdown(descriptor, Int32(SHUT_WR))
    }

    // MARK: Receiving

    /// At most `countMax` bytes; none at the end of the stream.
    func receiveSome(_ countMax: Int = 65_536) throws -> [UInt8] {
        var failure: ClientError?
        let bytes = [UInt8](unsafeUninitializedCapacity: countMax) { buffer, filled in
            let count = recv(descriptor, buffer.baseAddress, countMax, 0)
            if count < 0 { failure = ClientError("recv") }
            filled = max(0, count)
        }
        if let failure { throw failure }
        return bytes
    }

    func receive(_ count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let some = try receiveSome(count - bytes.count)
            guard !some.isEmpty else {
                throw WrongStream(wantedBytes: count, rightBytes: bytes.count)
            }
            bytes += some
        }
        return bytes
    }

    /// Receives to the end of the stream.
    func receiveToEnd() throws -> (byteCount: Int, ending: Ending) {
        var byteCount = 0
        do {
            while true {
                let some = try receiveSome(262_144)
                guard !some.isEmpty else { return (byteCount, .eof) }
                byteCount += some.count
            }
        } catch let error as ClientError where error.code == ECONNRESET || error.code == EPIPE {
            return (byteCount, .reset)
        }
    }

    /// How the stream ends, when nothing more comes.
    func ending() throws -> Ending {
        let (byteCount, ending) = try receiveToEnd()
        guard byteCount == 0 else { throw WrongStream(wantedBytes: 0, rightBytes: byteCount) }
        return ending
    }

    /// Sends and receives the same.
    func exchange(_ bytes: [UInt8]) throws {
        try send(bytes)
        let echoed = try receive(bytes.count)
        guard echoed == bytes else {
            throw WrongStream(wantedBytes: bytes.count, rightBytes: 0)
        }
    }
}
