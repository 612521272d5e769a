import CUring
import Glibc

@testable import UringEngine

/// A socket call of a peer that failed.
struct PeerError: Error, CustomStringConvertible {
    let call: String
    let code: Int32

    init(_ call: String) {
        self.call = call
        self.code = errno
    }

    var description: String { "\(call) failed: \(Errno(rawValue: code))" }
}

/// A blocking socket, made and used without the engine.
///
/// No call blocks for ever.
class PeerSocket: @unchecked Sendable {
    private(set) var descriptor: Int32

    init(adopting descriptor: Int32) {
        self.descriptor = descriptor
    }

    init(for address: SocketAddress) throws {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        descriptor = socket(address.family, type, 0)
        guard descriptor >= 0 else { throw PeerError("socket") }
        var patience = timeval(tv_sec: Gate.patienceSeconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, size)
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
        setLinger()
        close()
    }

    func setLinger() {
        var none = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            descriptor,
            SOL_SOCKET,
            SO_LINGER,
            &none,
            socklen_t(MemoryLayout<linger>.size)
        )
    }

    func setOption(_ name: Int32, _ value: Int32, level: Int32 = SOL_SOCKET) {
        var value = value
        setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    func setTCPOption(_ name: Int32, _ value: Int32) {
        setOption(name, value, level: Int32(IPPROTO_TCP))
    }

    func withAddress<Result>(
        _ address: SocketAddress,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) throws -> Result {
        var form = cu_address()
        try address.store(in: &form)
        let length = form.length
        return withUnsafeBytes(of: &form.storage) { bytes in
            bytes.withMemoryRebound(to: sockaddr.self) { address in
                guard let first = address.baseAddress else {
                    preconditionFailure("an address has bytes")
                }
                return body(first, length)
            }
        }
    }
}

extension PeerSocket {
    /// Lets a call write an address; nil when it wrote none.
    func readAddress(
        _ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int
    ) -> (result: Int, address: SocketAddress?) {
        var form = cu_address()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutableBytes(of: &form.storage) { bytes in
            bytes.withMemoryRebound(to: sockaddr.self) { address in
                guard let first = address.baseAddress else {
                    preconditionFailure("an address has bytes")
                }
                return body(first, &length)
            }
        }
        form.length = length
        return (result, length == 0 ? nil : SocketAddress(form))
    }

    /// Where it is bound.
    func boundAddress() throws -> SocketAddress {
        let (result, address) = readAddress { Int(getsockname(descriptor, $0, $1)) }
        guard result == 0, let address else { throw PeerError("getsockname") }
        return address
    }
}

/// A socket that is bound, and listens if asked to, without the engine.
final class RawListener: PeerSocket, @unchecked Sendable {
    private(set) var address: SocketAddress

    /// Binds, and listens unless `backlog` is nil.
    init(backlog: Int32?, on wished: SocketAddress = .ipv4(0x7F00_0001, port: 0)) throws {
        address = wished
        try super.init(for: wished)
        let bound = try withAddress(wished) { bind(descriptor, $0, $1) }
        guard bound == 0 else { throw PeerError("bind") }
        if let backlog, listen(descriptor, backlog) != 0 { throw PeerError("listen") }
        address = try boundAddress()
    }

    func accept() throws -> Peer {
        let accepted = Glibc.accept(descriptor, nil, nil)
        guard accepted >= 0 else { throw PeerError("accept") }
        _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
        return Peer(adopting: accepted)
    }
}
