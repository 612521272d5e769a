package import CUring
internal import Glibc

/// Addresses as they lie in a received message: short, unaligned, and of any content.
extension SocketAddress {
    /// Reads the kernel's form out of as many bytes as it wrote.
    ///
    /// - Returns: nil for a family that this type does not know, or when the bytes end too early. A Unix
    ///   sender without a name has no bytes at all: that is nil too.
    @inline(__always)
    package init?(kernelBytes bytes: UnsafeRawBufferPointer) {
        // Safety: each read lies within the bytes, whose count was looked at.
        guard bytes.count >= 8, unsafe bytes.loadUnaligned(as: UInt16.self) == UInt16(AF_INET)
        else {
            unsafe self.init(otherKernelBytes: bytes)
            return
        }
        let port = unsafe bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)
        let address = unsafe bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
        self = .ipv4(UInt32(bigEndian: address), port: UInt16(bigEndian: port))
    }

    // Safety: as above.
    @inline(never)
    private init?(otherKernelBytes bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= 2 else { return nil }
        switch unsafe Int32(bytes.loadUnaligned(as: UInt16.self)) {
        case AF_INET6:
            guard bytes.count >= MemoryLayout<sockaddr_in6>.size else { return nil }
            let port = unsafe bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)
            let high = unsafe bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
            let low = unsafe bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
            let scope = unsafe bytes.loadUnaligned(fromByteOffset: 24, as: UInt32.self)
            self = .ipv6(
                UInt64(bigEndian: high),
                UInt64(bigEndian: low),
                port: UInt16(bigEndian: port),
                scope: scope
            )
        case AF_UNIX:
            let path = unsafe bytes[2...].prefix(108)
            let isAbstract = unsafe path.first == 0
            self = unsafe .unix(isAbstract ? Array(path) : Array(path.prefix { $0 != 0 }))
        default: return nil
        }
    }

    /// Writes the kernel's form of an IP address, or as `store(in:)`.
    ///
    /// Less than half of the instructions of `store(in:)`, which clears the whole form first.
    ///
    /// - Throws: as `store(in:)`.
    @inline(__always)
    package func storeQuickly(in form: inout cu_address) throws(IOError) {
        guard case .ipv4(let address, let port) = self else { return try store(in: &form) }
        form.length = UInt32(MemoryLayout<sockaddr_in>.size)
        // Safety: sixteen bytes lie within the form.
        unsafe withUnsafeMutableBytes(of: &form.storage) { bytes in
            unsafe bytes.storeBytes(of: UInt16(AF_INET), as: UInt16.self)
            unsafe bytes.storeBytes(of: port.bigEndian, toByteOffset: 2, as: UInt16.self)
            unsafe bytes.storeBytes(of: address.bigEndian, toByteOffset: 4, as: UInt32.self)
            unsafe bytes.storeBytes(of: 0, toByteOffset: 8, as: UInt64.self)
        }
    }
}
