/// Addresses of Unix sockets (unix(7)).
extension SocketAddress {
    /// The most bytes of a path or an abstract name.
    private static let unixBytesMax = 107

    /// Names a socket by its file.
    ///
    /// Prefer an absolute path: a relative one means another file when the working directory changes.
    ///
    /// - Parameter unixPath: 1 to 107 bytes of UTF-8, none of them zero.
    /// - Throws: `.invalidArgument` that names the path.
    public init(unixPath: String) throws(IOError) {
        try Self.check(unixPath, as: "a Unix path")
        self = .unix(Array(unixPath.utf8))
    }

    /// Names a socket in the abstract namespace of Linux, which needs no file.
    ///
    /// Every process of the network namespace may connect: no permissions guard it.
    ///
    /// - Parameter abstractName: 1 to 107 bytes of UTF-8, none of them zero.
    /// - Throws: `.invalidArgument` that names the name.
    public init(abstractName: String) throws(IOError) {
        try Self.check(abstractName, as: "an abstract name")
        self = .unix([0] + Array(abstractName.utf8))
    }

    private static func check(_ text: String, as what: String) throws(IOError) {
        let count = text.utf8.count
        let isClean = !text.utf8.contains(0)
        guard count == 0 || count > unixBytesMax || !isClean else { return }
        throw IOError(
            .parseAddress,
            reason: .invalidArgument,
            detail: "\(what) has 1 to \(unixBytesMax) bytes and no zero byte;"
                + " got \(count) bytes: \(quoted(text))"
        )
    }

    /// The text on one line of bounded length.
    private static func quoted(_ text: String) -> String {
        let shown = text.prefix(120)
        let escaped = shown.split(separator: "\0", omittingEmptySubsequences: false)
        return "'\(escaped.joined(separator: "\\0"))'" + (shown.endIndex < text.endIndex ? "…" : "")
    }

    /// The path of its file; nil where there is none.
    package var unixPath: [UInt8]? {
        guard case .unix(let path) = self, let first = path.first, first != 0 else { return nil }
        return path
    }
}
