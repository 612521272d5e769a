public import UringCore
internal import UringEngine

/// The files of the simulated machine, from outside: the server finds what the test has put there.
extension Simulation {
    /// Makes a file, or replaces its content; directories on the way must be there.
    ///
    /// - Throws: ENOENT, ENOTDIR, EISDIR.
    public func makeFile(_ path: Path, content: [UInt8]) throws {
        if let failure = kernel.fileSystem.failure(above: path) {
            throw IOError(.openFile, errno: failure, detail: "\(path)")
        }
        let node =
            kernel.fileSystem.node(path)
            ?? kernel.fileSystem.add(path, isDirectory: false, permissions: 0o644)
        guard !node.isDirectory else {
            throw IOError(.openFile, errno: .isDirectory, detail: "\(path)")
        }
        node.content = content
    }

    /// What a file holds; nil where there is none.
    public func content(ofFile path: Path) -> [UInt8]? {
        guard let node = kernel.fileSystem.node(path), !node.isDirectory else { return nil }
        return node.content
    }
}
