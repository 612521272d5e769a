internal import CUring
internal import Glibc

/// What no child can be made of.
extension ProcessCommand {
    /// The highest number that a child's descriptor may have.
    static let targetMax: Int32 = 1_023

    /// - Throws: `.invalidArgument` that names what is wrong and what is accepted.
    func check() throws(IOError) {
        if program.isEmpty { throw refused("a program has a name") }
        for text in [program] + arguments + [workingDirectory ?? ""] where text.utf8.contains(0) {
            throw refused("a text with a NUL byte is cut short by the kernel")
        }
        if workingDirectory?.isEmpty == true { throw refused("a working directory has a path") }
        for (name, value) in variables where !Self.isVariable(name, value) {
            throw refused("a variable has a name without '=' and NUL, and a value without NUL")
        }
        for target in descriptors.keys where !(3...Self.targetMax).contains(target) {
            throw refused(
                "descriptor \(target) of the child: use 3 to \(Self.targetMax), or the three streams"
            )
        }
    }

    private var variables: [String: String] {
        switch environment {
        case .inherited: [:]
        case .inheritedWith(let own), .only(let own): own
        }
    }

    private static func isVariable(_ name: String, _ value: String) -> Bool {
        !name.isEmpty && !name.utf8.contains(UInt8(ascii: "=")) && !name.utf8.contains(0)
            && !value.utf8.contains(0)
    }

    private func refused(_ what: String) -> IOError {
        IOError(.spawn, reason: .invalidArgument, detail: "\(name): \(what)")
    }

    /// The program, as errors name it.
    var name: String {
        program.utf8.contains(0) || program.isEmpty ? "the program" : "'\(program)'"
    }

    /// The child's environment, as `NAME=value`, in no order that anybody may rely on.
    var entries: [String] {
        switch environment {
        case .inherited: Self.inherited
        case .only(let own): own.map { "\($0.key)=\($0.value)" }
        case .inheritedWith(let own):
            Self.inherited.filter { entry in
                own[String(entry.prefix { $0 != "=" })] == nil
            } + own.map { "\($0.key)=\($0.value)" }
        }
    }

    // Safety: entries of environ(7) are C strings, read during the call; a program that changes its
    // environment does so before it has threads.
    private static var inherited: [String] {
        var entries: [String] = []
        while let entry = unsafe cu_environment_entry(entries.count) {
            unsafe entries.append(String(cString: entry))
        }
        return entries
    }

    /// Why a spawn failed, naming the program; or the directory, when that is what is missing.
    func failure(_ errno: Errno) -> IOError {
        guard let workingDirectory, Self.isMissing(workingDirectory) else {
            return IOError(.spawn, errno: errno, detail: name)
        }
        return IOError(
            .spawn,
            errno: errno,
            detail: "\(name): the working directory '\(workingDirectory)'"
        )
    }

    /// It is no directory that this process may enter.
    private static func isMissing(_ directory: String) -> Bool {
        var form = stat()
        // Safety: path and structure are used during the calls.
        guard unsafe stat(directory, &form) == 0 else { return true }
        return unsafe form.st_mode & S_IFMT != S_IFDIR || access(directory, X_OK) != 0
    }
}
