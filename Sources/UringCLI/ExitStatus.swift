internal import ArgumentParser
internal import Glibc
internal import UringCore

/// How the tool ends (sysexits.h where it has a number).
enum ExitStatus {
    /// EX_CONFIG: a setting cannot be used.
    static let badSetting = ExitCode(78)

    /// What is wrong with a setting ends the tool with one line and status 78.
    static func checkingSettings<Value>(_ read: () throws -> Value) throws -> Value {
        do {
            return try read()
        } catch {
            complain("\(error)")
            throw badSetting
        }
    }

    /// Says why, in one line, on standard error.
    static func complain(_ text: String) {
        // A path or a host may have line ends in it.
        var line = "uringcore: \(PrintableText(text))\n"
        line.withUTF8 { bytes in
            // Safety: the kernel reads the bytes during the call.
            _ = unsafe write(STDERR_FILENO, bytes.baseAddress, bytes.count)
        }
    }
}
