internal import CUring
internal import Glibc

/// Whole files of the kernel's own file systems, which are short texts.
///
/// > Thread: Any thread.
enum SmallFile {
    /// A table of mounts takes about 150 bytes a mount; what is longer than this is no small file.
    private static let byteCountMax = 16 << 20

    /// The text of a file, or nil when it cannot be read.
    static func text(at path: String) -> String? {
        // Safety: open(2) reads the path during the call.
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { _ = cu_close(file) }
        var bytes: [UInt8] = []
        while bytes.count < byteCountMax {
            guard let chunk = chunk(of: file) else { return nil }
            if chunk.isEmpty { break }
            bytes += chunk
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// What read(2) gives next: empty at the end, nil for an error.
    private static func chunk(of file: Int32) -> ArraySlice<UInt8>? {
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            // Safety: the kernel writes at most `count` bytes during the call.
            let count = unsafe read(file, &buffer, buffer.count)
            if count >= 0 { return buffer[..<count] }
            guard errno == EINTR else { return nil }
        }
    }
}
