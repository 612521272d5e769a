internal import ArgumentParser
internal import Glibc

/// How the tool ends (sysexits.h where it has a number).
enum ExitStatus {
    /// EX_CONFIG: a setting cannot be used.
    static let badSetting = ExitCode(78)

    /// Says why, in one line, on standard error.
    static func complain(_ text: String) {
        var line = "uringcore: \(text)\n"
        line.withUTF8 { bytes in
            // Safety: the kernel reads the bytes during the call.
            _ = unsafe write(STDERR_FILENO, bytes.baseAddress, bytes.count)
        }
    }
}
