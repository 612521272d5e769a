import Foundation
import Glibc
import UringCore

/// How many sockets listen on a port of 127.0.0.1 (proc(5), /proc/net/tcp).
func countListening(on address: SocketAddress) -> Int {
    guard let port = address.port,
        let table = try? String(contentsOfFile: "/proc/net/tcp", encoding: .ascii)
    else { return -1 }
    let wanted = ":" + String(repeating: "0", count: max(0, 4 - hex(port).count)) + hex(port)
    return table.split(separator: "\n").count { line in
        let fields = line.split(separator: " ")
        return fields.count > 3 && fields[1].hasSuffix(wanted) && fields[3] == "0A"
    }
}

private func hex(_ number: UInt16) -> String { String(number, radix: 16, uppercase: true) }

/// A port of 127.0.0.1 that nobody uses now.
func freePort() throws -> UInt16 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var form = sockaddr_in()
    form.sin_family = sa_family_t(AF_INET)
    form.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutableBytes(of: &form) { bytes in
        bytes.withMemoryRebound(to: sockaddr.self) {
            bind(descriptor, $0.baseAddress, length) == 0
                && getsockname(descriptor, $0.baseAddress, &length) == 0
        }
    }
    guard isBound else { throw ClientError("bind") }
    return UInt16(bigEndian: form.sin_port)
}
