internal import Glibc

/// What uname(2) says of the running kernel.
struct KernelName {
    let system: String
    let release: String
    let machine: String

    init() {
        var name = utsname()
        // Safety: the kernel writes the structure during the call; each field ends with a zero.
        _ = unsafe uname(&name)
        system = Self.text(name.sysname)
        release = Self.text(name.release)
        machine = Self.text(name.machine)
    }

    private static func text(_ field: some Any) -> String {
        // Safety: the bytes are read during the call.
        unsafe withUnsafeBytes(of: field) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
