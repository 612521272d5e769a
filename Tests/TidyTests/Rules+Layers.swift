/// Who may know whom: imports of targets, headers of C, folders of the engine.
extension Rules {
    private static let collections: Set = [
        "BasicContainers", "BitCollections", "Collections", "DequeModule", "HashTreeCollections",
        "HeapModule", "OrderedCollections",
    ]

    /// What a target under Sources may import.
    private static let importsOfTarget: [String: Set<String>] = [
        "UringEngine": [
            "BasicContainers", "BitCollections", "CNUMA", "CUring", "DequeModule", "Glibc",
            "HeapModule", "Synchronization",
        ],
        "UringCore": collections.union([
            "CNUMA", "CUring", "CoreMetrics", "Glibc", "Logging", "Metrics", "ServiceLifecycle",
            "Synchronization", "UringEngine",
        ]),
        "UringTesting": collections.union([
            "CUring", "Glibc", "Synchronization", "UringCore", "UringEngine",
        ]),
        "UringSimulate": ["Glibc", "UringCore", "UringTesting"],
        "UringLoad": [
            "CUring", "Glibc", "Histogram", "Synchronization", "UringCore", "UringEngine",
        ],
        "UringCLI": collections.union([
            "ArgumentParser", "Glibc", "Logging", "Metrics", "ServiceLifecycle", "Synchronization",
            "UringCore", "UringEngine", "UringLoad",
        ]),
    ]

    static func imports(_ file: SourceText) -> [Finding] {
        guard file.language == .swift, file.pathParts.count > 2 else { return [] }
        let target = file.pathParts[1]
        let modules = imported(by: file)
        if file.path.hasPrefix("Tests/") {
            return modules.filter { $0.name == "XCTest" }.map {
                file.finding($0.line, "XCTest is not run here; write it with swift-testing")
            }
        }
        guard file.path.hasPrefix("Sources/") else { return [] }
        guard let allowed = importsOfTarget[target] else {
            return [
                file.finding(1, "target \(target) is unknown; add it to `Rules.importsOfTarget`")
            ]
        }
        return modules.filter { !allowed.contains($0.name) }.map {
            file.finding(
                $0.line,
                "\(target) may not import \($0.name); do without, or decide it in docs/decisions"
                    + " and add it to `Rules.importsOfTarget`"
            )
        }
    }

    private static func imported(by file: SourceText) -> [(name: String, line: Int)] {
        let kinds: Set = [
            "struct", "class", "enum", "protocol", "typealias", "func", "var", "let",
        ]
        var modules: [(name: String, line: Int)] = []
        for (index, token) in file.tokens.enumerated()
        where token.text == "import" && !token.isQuoted {
            if index > 0, file.tokens[index - 1].text == "." { continue }
            let rest = file.tokens[(index + 1)...].drop { kinds.contains($0.text) }
            if let module = rest.first, module.isWord, module.line == token.line {
                modules.append((module.text, module.line))
            }
        }
        return modules
    }

    private static let ownersOfHeader = ["liburing": "CUring", "numa.h": "CNUMA"]

    /// Benchmarks are exempt: the rivals there are written against liburing itself.
    static func headers(_ file: SourceText) -> [Finding] {
        guard file.language == .c, !file.path.hasPrefix("Benchmarks/") else { return [] }
        var findings: [Finding] = []
        for (index, line) in file.uncommented.enumerated() where line.contains("#include") {
            for (header, owner) in ownersOfHeader where line.contains(header) {
                guard !file.path.hasPrefix("Sources/\(owner)/") else { continue }
                findings.append(
                    file.finding(
                        index + 1,
                        "only \(owner) includes \(header); call a shim of \(owner)"
                    )
                )
            }
        }
        return findings
    }

    // MARK: Folders of the engine

    private static let rankOfFolder = [
        "Kernel": 0,
        "Drivers": 1, "Buffers": 1, "Operations": 1, "Descriptors": 1, "Timers": 1, "Scheduling": 1,
        "Loop": 2,
        "Transports": 3,
    ]

    /// A type is named only in its own folder and in those above it.
    ///
    /// Kernel lies lowest, then side by side Drivers, Buffers, Operations, Descriptors, Timers and
    /// Scheduling, then Loop, then Transports.
    static func folderOrder(_ files: [SourceText]) -> [Finding] {
        let engine = files.filter {
            $0.language == .swift && $0.path.hasPrefix("Sources/UringEngine/")
        }
        let homes = foldersOfTypes(in: engine)
        return engine.flatMap { file -> [Finding] in
            let folder = file.pathParts[2]
            guard let rank = rankOfFolder[folder] else {
                return [
                    file.finding(
                        1,
                        "`\(folder)` is no folder of the engine; move the file into one of"
                            + " \(rankOfFolder.keys.sorted().joined(separator: ", "))"
                    )
                ]
            }
            return namesFromAbove(in: file, folder: folder, rank: rank, homes: homes)
        }
    }

    private struct Home {
        var topLevel: Set<String> = []
        var anywhere: Set<String> = []
    }

    private static func foldersOfTypes(in files: [SourceText]) -> [String: Home] {
        var homes: [String: Home] = [:]
        for file in files {
            for declaration in file.declarations
            where declaration.isType || declaration.keyword == "typealias" {
                let name = declaration.name
                homes[file.pathParts[2], default: Home()].anywhere.insert(name)
                if declaration.isTopLevel {
                    homes[file.pathParts[2], default: Home()].topLevel.insert(name)
                }
            }
        }
        return homes
    }

    private static func namesFromAbove(
        in file: SourceText,
        folder: String,
        rank: Int,
        homes: [String: Home]
    ) -> [Finding] {
        let isBelow = { (other: String) in rankOfFolder[other, default: 0] < rank }
        let forbidden = homes.filter { $0.key != folder && !isBelow($0.key) }
        // A name that the folder or one below has as well is taken to mean that one.
        let known = homes.filter { $0.key == folder }.reduce(into: Set<String>()) {
            $0.formUnion($1.value.anywhere)
        }.union(homes.filter { isBelow($0.key) }.flatMap(\.value.topLevel))
        var findings: [Finding] = []
        for (index, token) in file.tokens.enumerated()
        where token.isWord && !known.contains(token.text) {
            if index > 1, file.tokens[index - 1].text == ".",
                file.tokens[index - 2].text != "UringEngine"
            {
                continue  // A member: `.Job` of something else.
            }
            for (owner, home) in forbidden where home.topLevel.contains(token.text) {
                findings.append(
                    file.finding(
                        token.line,
                        "\(folder) names `\(token.text)` of \(owner); join the two in Loop, or let"
                            + " \(folder) declare a protocol, a closure or a Kernel type"
                    )
                )
            }
        }
        return findings
    }
}
