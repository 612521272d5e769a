import UringEngine

/// A file or directory in a simulated kernel.
///
/// > Thread: On the simulation's thread only.
final class SimulatedNode {
    let isDirectory: Bool
    let inode: UInt64
    var permissions: FilePermissions
    var content: [UInt8] = []

    init(isDirectory: Bool, inode: UInt64, permissions: FilePermissions) {
        self.isDirectory = isDirectory
        self.inode = inode
        self.permissions = permissions
    }
}

/// A file that was opened.
///
/// > Thread: On the simulation's thread only.
final class SimulatedOpenFile {
    let node: SimulatedNode
    let flags: Int32
    /// Those whose terminal completion no loop has reaped.
    var operations: [SimulatedOperation] = []

    init(_ node: SimulatedNode, flags: Int32) {
        self.node = node
        self.flags = flags
    }
}

/// The names of a simulated kernel: a root, where relative paths begin too, and what lies below it.
///
/// > Thread: On the simulation's thread only.
struct SimulatedFileSystem {
    // Looked up by name only; who walks through it sorts.
    private var nodes: [[UInt8]: SimulatedNode] = [:]
    private var inodesGiven: UInt64 = 1_000
    /// By number, from `firstDescriptor` on; nil for a free one.
    private var opened: [SimulatedOpenFile?] = []
    private(set) var openCount = 0

    /// Beyond the numbers of sockets.
    private static let firstDescriptor: Int32 = 2_000_000
    private static let slash = UInt8(ascii: "/")

    init() {
        _ = add([], isDirectory: true, permissions: 0o755)
    }

    /// The name as it is looked up: without slashes at both ends, and without double ones.
    static func key(_ path: Path) -> [UInt8] {
        Array(path.bytes.split(separator: slash).joined(separator: [slash]))
    }

    func node(_ path: Path) -> SimulatedNode? { nodes[Self.key(path)] }

    /// Why a path cannot be looked up: something on the way is missing, or no directory.
    func failure(above path: Path) -> Errno? {
        var parts = Self.key(path).split(separator: Self.slash)
        guard !parts.isEmpty else { return nil }
        parts.removeLast()
        var name: [UInt8] = []
        for part in parts {
            name += (name.isEmpty ? [] : [Self.slash]) + part
            guard let node = nodes[name] else { return .notFound }
            guard node.isDirectory else { return .notDirectory }
        }
        return nil
    }

    @discardableResult
    mutating func add(
        _ path: Path,
        isDirectory: Bool,
        permissions: FilePermissions
    ) -> SimulatedNode {
        add(Self.key(path), isDirectory: isDirectory, permissions: permissions)
    }

    private mutating func add(
        _ key: [UInt8],
        isDirectory: Bool,
        permissions: FilePermissions
    ) -> SimulatedNode {
        inodesGiven += 1
        let node = SimulatedNode(
            isDirectory: isDirectory,
            inode: inodesGiven,
            permissions: permissions
        )
        nodes[key] = node
        return node
    }

    mutating func remove(_ path: Path) {
        nodes[Self.key(path)] = nil
    }

    /// Gives a name, and all below it, to another.
    mutating func move(_ path: Path, to newPath: Path) {
        let (from, to) = (Self.key(path), Self.key(newPath))
        guard from != to else { return }
        for (name, node) in nodes where name == from || name.starts(with: from + [Self.slash]) {
            nodes[name] = nil
            nodes[to + name.dropFirst(from.count)] = node
        }
    }

    /// The names in a directory, sorted.
    func entries(of path: Path) -> [DirectoryEntry] {
        let directory = Self.key(path)
        let prefix = directory.isEmpty ? [] : directory + [Self.slash]
        return nodes.keys.filter { name in
            !name.isEmpty && name.starts(with: prefix)
                && !name.dropFirst(prefix.count).contains(Self.slash)
                && name.count > prefix.count
        }
        .sorted { $0.lexicographicallyPrecedes($1) }
        .map { name in
            DirectoryEntry(
                name: Path(bytes: Array(name.dropFirst(prefix.count))),
                kind: nodes[name]?.isDirectory == true ? .directory : .regular
            )
        }
    }

    // MARK: Descriptors

    /// The lowest free number, as a kernel gives it.
    mutating func open(_ node: SimulatedNode, flags: Int32) -> Descriptor {
        openCount += 1
        let file = SimulatedOpenFile(node, flags: flags)
        let free = opened.firstIndex { $0 == nil } ?? opened.count
        if free == opened.count { opened.append(file) } else { opened[free] = file }
        return Descriptor(rawValue: Self.firstDescriptor + Int32(free))
    }

    subscript(descriptor: Descriptor) -> SimulatedOpenFile? {
        let place = Int(descriptor.rawValue) - Int(Self.firstDescriptor)
        return opened.indices.contains(place) ? opened[place] : nil
    }

    mutating func close(_ descriptor: Descriptor) {
        guard self[descriptor] != nil else { return }
        openCount -= 1
        opened[Int(descriptor.rawValue - Self.firstDescriptor)] = nil
    }

    /// Those that are open, lowest first.
    var openDescriptors: [Descriptor] {
        opened.indices.filter { opened[$0] != nil }.map {
            Descriptor(rawValue: Self.firstDescriptor + Int32($0))
        }
    }

    /// Lets go of what refers to operations.
    mutating func takeApart() {
        opened = []
        nodes = [:]
    }
}
