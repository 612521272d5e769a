import Foundation
import Glibc

/// Where the programs are that the tests run.
enum Programs {
    /// The tool under test lies beside the tests.
    static let uringcore: String = {
        let tests =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(filePath: tests).deletingLastPathComponent().appending(path: "uringcore").path
    }()

    /// The same where every user may run it: folders above the build may be closed to others.
    static let uringcoreForEveryUser: String = {
        var template = Array("/tmp/uringcore-tests-XXXXXX".utf8CString)
        guard let folder = mkdtemp(&template) else { return uringcore }
        chmod(folder, 0o755)
        let copy = String(cString: folder) + "/uringcore"
        try? FileManager.default.copyItem(atPath: uringcore, toPath: copy)
        chmod(copy, 0o755)
        folderOfCopy = String(cString: folder)
        atexit { Programs.removeCopy() }
        return copy
    }()

    private nonisolated(unsafe) static var folderOfCopy: String?

    private static func removeCopy() {
        if let folderOfCopy { try? FileManager.default.removeItem(atPath: folderOfCopy) }
    }

    /// A Python program of the folder Peers.
    static func peer(_ name: String) -> [String] {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent()
        return ["python3", folder.appending(path: "Peers/\(name)").path]
    }

    static func has(_ name: String) -> Bool {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        return folders.contains { access("\($0)/\(name)", X_OK) == 0 }
    }

    static var isRoot: Bool { geteuid() == 0 }
}
