/// The mounts that this process sees (proc_pid_mountinfo(5)).
///
/// > Thread: Any thread.
struct MountTable {
    /// One file system, or part of one, at one place.
    struct Mount: Hashable {
        /// The folder of the file system that is mounted.
        let root: String
        /// Where it is mounted.
        let point: String
        /// The kind of file system.
        let kind: String
        /// What the file system itself was mounted with: the controllers, in a control group's.
        let options: [String]
    }

    /// In the order of the table.
    let mounts: [Mount]

    /// Reads a table; a line of another form is skipped.
    init(_ text: String) {
        mounts = text.split(separator: "\n").compactMap(Self.parse)
    }

    /// The fields of a line: number, parent, device, root, point, options, any number of optional
    /// ones, a dash, kind, source, options of the file system.
    private static func parse(_ line: Substring) -> Mount? {
        let fields = line.split(separator: " ")
        guard fields.count > 6, let dash = fields[6...].firstIndex(of: "-"),
            fields.count > dash + 3
        else { return nil }
        return Mount(
            root: decoded(fields[3]),
            point: decoded(fields[4]),
            kind: String(fields[dash + 1]),
            options: fields[dash + 3].split(separator: ",").map(String.init)
        )
    }

    /// Blanks, tabs, line ends and backslashes are written as three octal digits: `\040`.
    private static func decoded(_ field: Substring) -> String {
        guard field.contains("\\") else { return String(field) }
        var bytes: [UInt8] = []
        var rest = Array(field.utf8)[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            guard byte == UInt8(ascii: "\\"), digits.count == 3,
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
            else {
                bytes.append(byte)
                continue
            }
            bytes.append(value)
            rest = rest.dropFirst(3)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
