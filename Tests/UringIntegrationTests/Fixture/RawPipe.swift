import Glibc

@testable import UringEngine

/// A pipe made and used without the engine; its ends block.
final class RawPipe: @unchecked Sendable {
    private(set) var reader: Int32
    private(set) var writer: Int32

    init() throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw PeerError("pipe") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        (reader, writer) = (ends[0], ends[1])
    }

    deinit {
        closeReader()
        closeWriter()
    }

    func closeReader() {
        if reader >= 0 { close(reader) }
        reader = -1
    }

    func closeWriter() {
        if writer >= 0 { close(writer) }
        writer = -1
    }

    /// The end is somebody else's from here on.
    func takeReader() -> Descriptor {
        defer { reader = -1 }
        return Descriptor(rawValue: reader)
    }

    /// The end is somebody else's from here on.
    func takeWriter() -> Descriptor {
        defer { writer = -1 }
        return Descriptor(rawValue: writer)
    }

    /// Writes all of it, however long that blocks.
    func write(_ bytes: [UInt8]) throws {
        try writeAll(bytes, to: writer)
    }

    /// Reads until the end.
    func readToEnd() throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let more = try readSome(from: reader) { bytes += more }
        return bytes
    }
}

func writeAll(_ bytes: [UInt8], to descriptor: Int32) throws {
    var left = bytes[...]
    while !left.isEmpty {
        let count = left.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        guard count > 0 else { throw PeerError("write") }
        left = left.dropFirst(count)
    }
}

/// Waits for some bytes; nil at the end.
func readSome(from descriptor: Int32, atMost count: Int = 65_536) throws -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    let result = read(descriptor, &bytes, count)
    guard result >= 0 else { throw PeerError("read") }
    return result == 0 ? nil : Array(bytes.prefix(result))
}

/// A terminal's two sides: what is written to one is read from the other.
final class RawTerminal: @unchecked Sendable {
    private(set) var master: Int32
    private(set) var slave: Int32

    init() throws {
        slave = -1
        master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard master >= 0 else { throw PeerError("open /dev/ptmx") }
        var (isLocked, number): (Int32, UInt32) = (0, 0)
        // TIOCSPTLCK and TIOCGPTN (ioctl_tty(2)), which are macros.
        guard ioctl(master, 0x4004_5431, &isLocked) == 0,
            ioctl(master, 0x8004_5430, &number) == 0
        else { throw PeerError("ioctl") }
        slave = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard slave >= 0 else { throw PeerError("open") }
        var form = termios()
        tcgetattr(slave, &form)
        form.c_lflag &= ~tcflag_t(ECHO)
        form.c_oflag &= ~tcflag_t(OPOST)
        tcsetattr(slave, TCSANOW, &form)
    }

    deinit {
        closeMaster()
        if slave >= 0 { close(slave) }
    }

    func closeMaster() {
        if master >= 0 { close(master) }
        master = -1
    }

    func takeSlave() -> Descriptor {
        defer { slave = -1 }
        return Descriptor(rawValue: slave)
    }
}
