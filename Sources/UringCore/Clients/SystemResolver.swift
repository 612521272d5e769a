internal import CUring
internal import Glibc

/// Asks the system, as every program of the machine does: /etc/hosts, name servers, and whatever
/// nsswitch.conf(5) says.
///
/// getaddrinfo(3) blocks, for seconds where a server is silent: it runs on a thread of
/// `Shard.blockingPool`.
///
/// > Thread: Any thread.
public struct SystemResolver: Resolver {
    /// Holds nothing.
    public init() {}

    /// Asks the system, in its order (RFC 6724).
    ///
    /// - Throws: `.nameNotResolved`; `.busy`, `.cancelled` and `.deadlineExceeded` of `runInExecutor`.
    public func addresses(
        of name: HostName,
        port: UInt16,
        on shard: Shard
    ) async throws(IOError) -> [SocketAddress] {
        do {
            return try await shard.runInExecutor { try Self.ask(for: name, port: port) }
        } catch let error as IOError {
            throw error
        } catch {
            preconditionFailure("a resolution fails with an IOError")
        }
    }

    // Safety: the list is libc's until it is freed here; names and hints live during the call.
    private static func ask(for name: HostName, port: UInt16) throws(IOError) -> [SocketAddress] {
        var hints = unsafe addrinfo()
        unsafe hints.ai_family = AF_UNSPEC
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = unsafe getaddrinfo(name.description, nil, &hints, &list)
        // Before anything else can change it.
        let errno = Errno.current
        guard code == 0 else { throw failure(code, errno, name) }
        defer { unsafe freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var entry = unsafe list
        while let known = unsafe entry {
            if let address = unsafe address(of: known.pointee, port: port) {
                addresses.append(address)
            }
            unsafe entry = known.pointee.ai_next
        }
        return addresses
    }

    // Safety: `ai_addr` points to `ai_addrlen` bytes while the list lives.
    private static func address(of entry: addrinfo, port: UInt16) -> SocketAddress? {
        guard let source = unsafe entry.ai_addr else { return nil }
        var form = cu_address()
        let count = unsafe min(Int(entry.ai_addrlen), MemoryLayout.size(ofValue: form.storage))
        unsafe withUnsafeMutableBytes(of: &form.storage) {
            unsafe $0.copyMemory(from: UnsafeRawBufferPointer(start: source, count: count))
        }
        form.length = UInt32(count)
        return SocketAddress(form)?.with(port: port)
    }

    /// Of netdb.h, which has them for GNU programs alone.
    private static let eaiNoData: Int32 = -5
    private static let eaiAddressFamily: Int32 = -9

    private static func failure(_ code: Int32, _ errno: Errno, _ name: HostName) -> IOError {
        let failure: NameFailure
        switch code {
        case EAI_NONAME, eaiNoData, eaiAddressFamily: failure = .notFound
        case EAI_AGAIN: failure = .temporary
        case EAI_FAIL: failure = .refused
        case EAI_MEMORY: failure = .noMemory
        case EAI_SYSTEM: return IOError(.resolve, errno: errno, detail: "\(name)")
        default: failure = .other(code)
        }
        return IOError(.resolve, reason: .nameNotResolved(failure), detail: "\(name)")
    }
}
