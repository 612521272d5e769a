/// A program to run, and what it gets of this process: nothing that does not stand here.
///
/// No descriptor but those named here is open in the child, whatever other threads open meanwhile; no
/// signal is blocked or ignored in it.
///
/// > Thread: Any thread.
public struct ProcessCommand: Hashable, Sendable {
    /// The program's file; without a slash it is looked for in this process's PATH.
    public var program: String
    /// What follows the program's name.
    public var arguments: [String]
    /// The variables that it sees.
    public var environment = Environment.inherited
    /// Where it runs; nil for where this process does.
    ///
    /// A program's relative path is looked up there.
    public var workingDirectory: String?
    /// Whom signals to a group reach.
    public var grouping = Grouping.parents
    /// Its descriptor 0.
    public var standardInput = Stream.null
    /// Its descriptor 1.
    public var standardOutput = Stream.inherited
    /// Its descriptor 2.
    public var standardError = Stream.inherited
    /// Further descriptors, by their number in the child, 3 to 1,023.
    public var descriptors: [Int32: Descriptor] = [:]

    /// Describes a program with its arguments.
    public init(_ program: String, _ arguments: [String] = []) {
        self.program = program
        self.arguments = arguments
    }

    /// Describes a script for the shell: `/bin/sh -c script`.
    ///
    /// Nothing is quoted here. Values that come from elsewhere go into `arguments`: the script has them
    /// as `$0`, `$1`, ….
    public static func shell(_ script: String, _ arguments: [String] = []) -> ProcessCommand {
        ProcessCommand("/bin/sh", ["-c", script] + arguments)
    }

    /// The variables of a child.
    public enum Environment: Hashable, Sendable {
        /// Those of this process.
        case inherited
        /// Those of this process, with these in place of theirs.
        case inheritedWith([String: String])
        /// These alone.
        case only([String: String])
    }

    /// The process group of a child.
    public enum Grouping: Hashable, Sendable {
        /// That of this process.
        case parents
        /// One of its own: what the child starts can be signalled with it.
        case own
        /// A session of its own, without a terminal (setsid(2)).
        case session
    }

    /// What a child's standard descriptor is.
    public enum Stream: Hashable, Sendable {
        /// One end of a pipe; the other end is a stream of the loop.
        case pipe
        /// /dev/null.
        case null
        /// That of this process; /dev/null where it is closed.
        case inherited
        /// A duplicate of this one, which stays the program's.
        case descriptor(Descriptor)
    }
}

/// How a process ended.
///
/// > Thread: Any thread.
public enum ProcessStatus: Hashable, Sendable {
    /// By itself, with a code from 0 to 255.
    case exited(Int32)
    /// By a signal.
    case signalled(Int32)
    /// It has ended; the kernel kept nothing of how, since this process ignores SIGCHLD, or waits for
    /// every child elsewhere too (waitid(2), ECHILD).
    case unknown

    /// It ended by itself, with the code 0.
    public var isSuccess: Bool { self == .exited(0) }
}

extension ProcessStatus: CustomStringConvertible {
    /// In words, as `exited with 1`.
    public var description: String {
        switch self {
        case .exited(let code): "exited with \(code)"
        case .signalled(let signal): "ended by signal \(signal)"
        case .unknown: "ended, how is unknown"
        }
    }
}
