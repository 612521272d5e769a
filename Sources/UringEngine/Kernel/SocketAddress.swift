package import CUring
internal import Glibc

/// Where a socket is: an IPv4 or IPv6 address with a port, or a Unix-domain path.
///
/// > Thread: Any thread.
public enum SocketAddress: Hashable, Sendable {
    /// The four bytes of the address, most significant first, and the port.
    case ipv4(UInt32, port: UInt16)
    /// The sixteen bytes as two words, most significant first, the port, and the scope of a
    /// link-local address.
    case ipv6(UInt64, UInt64, port: UInt16, scope: UInt32)
    /// A path of at most 107 bytes, or an abstract name when it begins with a zero byte.
    case unix([UInt8])

    /// Reads a numeric IPv4 or IPv6 address, such as `127.0.0.1`, `::1` or `fe80::1%2`.
    ///
    /// Names are not resolved here: that would block the loop.
    ///
    /// - Throws: `.invalidArgument` that names the text.
    public init(host: String, port: UInt16) throws(IOError) {
        let (text, scope) = Self.splitScope(host)
        guard !host.utf8.contains(0), let scope else { throw Self.unreadable(host) }
        var four = in_addr()
        var six = in6_addr()
        // Safety: inet_pton(3) reads the string and writes the structure during the call.
        if scope == 0, unsafe inet_pton(AF_INET, text, &four) == 1 {
            self = .ipv4(UInt32(bigEndian: four.s_addr), port: port)
        } else if unsafe inet_pton(AF_INET6, text, &six) == 1 {
            let (high, low) = unsafe withUnsafeBytes(of: six) { bytes in
                unsafe (
                    UInt64(bigEndian: bytes.load(as: UInt64.self)),
                    UInt64(bigEndian: bytes.load(fromByteOffset: 8, as: UInt64.self))
                )
            }
            self = .ipv6(high, low, port: port, scope: scope)
        } else {
            throw Self.unreadable(host)
        }
    }

    /// Splits `fe80::1%2` into address and numeric scope; nil for a scope that is no number.
    private static func splitScope(_ host: String) -> (text: String, scope: UInt32?) {
        guard let percent = host.firstIndex(of: "%") else { return (host, 0) }
        let digits = host[host.index(after: percent)...]
        // `UInt32` would also read a sign.
        let scope = digits.first == "+" ? nil : UInt32(digits)
        return (String(host[..<percent]), scope.flatMap { $0 == 0 ? nil : $0 })
    }

    private static func unreadable(_ host: String) -> IOError {
        IOError(
            .parseAddress,
            reason: .invalidArgument,
            detail: "'\(host)' is not a numeric IPv4 or IPv6 address such as 127.0.0.1 or ::1"
        )
    }

    /// The port of an IP address.
    public var port: UInt16? {
        switch self {
        case .ipv4(_, let port): port
        case .ipv6(_, _, let port, _): port
        case .unix: nil
        }
    }
}

extension SocketAddress {
    /// AF_INET, AF_INET6 or AF_UNIX.
    package var family: Int32 {
        switch self {
        case .ipv4: AF_INET
        case .ipv6: AF_INET6
        case .unix: AF_UNIX
        }
    }

    /// Writes the kernel's form.
    ///
    /// - Throws: `.invalidArgument` for a Unix path that is empty, too long, or holds a zero byte.
    package func store(in form: inout cu_address) throws(IOError) {
        if case .unix(let path) = self { try Self.check(path) }
        form = cu_address()
        // Safety: sockaddr_storage is large and aligned enough for each form (unix(7), ip(7),
        // ipv6(7)).
        form.length = unsafe withUnsafeMutableBytes(of: &form.storage) { bytes in
            switch self {
            case .ipv4(let address, let port):
                var address4 = sockaddr_in()
                address4.sin_family = sa_family_t(AF_INET)
                address4.sin_port = port.bigEndian
                address4.sin_addr.s_addr = address.bigEndian
                unsafe bytes.storeBytes(of: address4, as: sockaddr_in.self)
                return UInt32(MemoryLayout<sockaddr_in>.size)
            case .ipv6(let high, let low, let port, let scope):
                var address6 = sockaddr_in6()
                address6.sin6_family = sa_family_t(AF_INET6)
                address6.sin6_port = port.bigEndian
                address6.sin6_scope_id = scope
                unsafe bytes.storeBytes(of: address6, as: sockaddr_in6.self)
                let offset = Self.ipv6Offset
                unsafe bytes.storeBytes(of: high.bigEndian, toByteOffset: offset, as: UInt64.self)
                unsafe bytes.storeBytes(
                    of: low.bigEndian,
                    toByteOffset: offset + 8,
                    as: UInt64.self
                )
                return UInt32(MemoryLayout<sockaddr_in6>.size)
            case .unix(let path):
                unsafe bytes.storeBytes(of: sa_family_t(AF_UNIX), as: sa_family_t.self)
                unsafe bytes.baseAddress.map { unsafe $0 + Self.pathOffset }?
                    .copyMemory(from: path, byteCount: path.count)
                let isAbstract = path.first == 0
                return UInt32(Self.pathOffset + path.count + (isAbstract ? 0 : 1))
            }
        }
    }

    /// Reads the kernel's form; nil for a family that this type does not know.
    package init?(_ form: cu_address) {
        let storage = form.storage
        let byteCount = Int(form.length)
        // Safety: each form lies within sockaddr_storage.
        let address: SocketAddress? = unsafe withUnsafeBytes(of: storage) { bytes in
            switch Int32(storage.ss_family) {
            case AF_INET:
                let form = unsafe bytes.load(as: sockaddr_in.self)
                return .ipv4(
                    UInt32(bigEndian: form.sin_addr.s_addr),
                    port: UInt16(bigEndian: form.sin_port)
                )
            case AF_INET6:
                let form = unsafe bytes.load(as: sockaddr_in6.self)
                let offset = Self.ipv6Offset
                let high = unsafe bytes.load(fromByteOffset: offset, as: UInt64.self)
                let low = unsafe bytes.load(fromByteOffset: offset + 8, as: UInt64.self)
                return .ipv6(
                    UInt64(bigEndian: high),
                    UInt64(bigEndian: low),
                    port: UInt16(bigEndian: form.sin6_port),
                    scope: form.sin6_scope_id
                )
            case AF_UNIX:
                let end = min(max(byteCount, Self.pathOffset), bytes.count)
                let path = unsafe bytes[Self.pathOffset..<end]
                let isAbstract = unsafe path.first == 0
                return unsafe .unix(isAbstract ? Array(path) : Array(path.prefix { $0 != 0 }))
            default:
                return nil
            }
        }
        guard let address else { return nil }
        self = address
    }

    private static var ipv6Offset: Int { MemoryLayout<sockaddr_in6>.offset(of: \.sin6_addr) ?? 8 }
    private static var pathOffset: Int { MemoryLayout<sa_family_t>.size }

    private static func check(_ path: [UInt8]) throws(IOError) {
        let isAbstract = path.first == 0
        let room = 108 - (isAbstract ? 0 : 1)
        guard !path.isEmpty, path.count <= room, isAbstract || !path.contains(0) else {
            throw IOError(
                .parseAddress,
                reason: .invalidArgument,
                detail: "a Unix path has 1 to 107 bytes and no zero byte; got \(path.count) bytes"
            )
        }
    }
}

extension SocketAddress: CustomStringConvertible {
    /// `127.0.0.1:7000`, `[::1]:7000`, `unix:/run/x` or `unix:@name`.
    public var description: String {
        switch self {
        case .ipv4(let address, let port):
            let parts = [24, 16, 8, 0].map { String(address >> UInt32($0) & 0xFF) }
            return parts.joined(separator: ".") + ":\(port)"
        case .ipv6(_, _, let port, let scope):
            return "[\(Self.text(of: self))\(scope == 0 ? "" : "%\(scope)")]:\(port)"
        case .unix(let path):
            let isAbstract = path.first == 0
            let name = String(decoding: isAbstract ? path[1...] : path[...], as: UTF8.self)
            return "unix:\(isAbstract ? "@" : "")\(name)"
        }
    }

    private static func text(of address: SocketAddress) -> String {
        guard case .ipv6(let high, let low, _, _) = address else { return "" }
        var words = (high.bigEndian, low.bigEndian)
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        // Safety: inet_ntop(3) reads sixteen bytes and writes at most INET6_ADDRSTRLEN during the
        // call.
        guard unsafe inet_ntop(AF_INET6, &words, &text, socklen_t(text.count)) != nil else {
            return "?"
        }
        return String(
            decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) },
            as: UTF8.self
        )
    }
}
