import Foundation

/// The files of the repository that the rules look at, read once.
struct Tree: Sendable {
    /// Swift, C and Python under Sources, Tests and Benchmarks.
    let files: [SourceText]
    let root: URL

    static let current = Tree(root: rootOfRepository)

    var sources: [SourceText] { files.filter { $0.path.hasPrefix("Sources/") } }
    var tests: [SourceText] { files.filter { $0.path.hasPrefix("Tests/") } }

    init(root: URL) {
        self.root = root
        files = ["Sources", "Tests", "Benchmarks"].flatMap { Self.read(folder: $0, of: root) }
    }

    /// Returns nil when there is no such file.
    func text(at path: String) -> String? {
        try? String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    private static let rootOfRepository = URL(filePath: #filePath)
        .deletingLastPathComponent()
        .deletingLastPathComponent()
        .deletingLastPathComponent()

    private static func read(folder: String, of root: URL) -> [SourceText] {
        // Hidden folders are skipped: a nested package keeps its build products in one.
        let entries = FileManager.default.enumerator(
            at: root.appending(path: folder),
            includingPropertiesForKeys: nil,
            options: [.skipsHiddenFiles]
        )
        var files: [SourceText] = []
        while let url = entries?.nextObject() as? URL {
            guard ["swift", "c", "h", "py"].contains(url.pathExtension) else { continue }
            guard let text = try? String(contentsOf: url, encoding: .utf8) else { continue }
            let path = url.path(percentEncoded: false)
                .dropFirst(root.path(percentEncoded: false).count)
            files.append(SourceText(path: String(path.drop { $0 == "/" }), text: text))
        }
        return files.sorted { $0.path < $1.path }
    }
}
