// swift-tools-version: 6.2
import PackageDescription

// Each example is a program that uses the public API alone; its page stands beside it.
let examples = [
    "Echo", "Chat", "DatagramPing", "ForeignLoop", "KeyValue", "Pipeline", "StaticFiles", "Timers",
]

let package = Package(
    name: "examples",
    dependencies: [.package(name: "uringcore", path: "..")],
    targets: examples.map { name in
        .executableTarget(
            name: name,
            dependencies: [.product(name: "UringCore", package: "uringcore")],
            path: name,
            exclude: ["README.md"],
            swiftSettings: [
                .swiftLanguageMode(.v6),
                .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
                .treatAllWarnings(as: .error),
            ]
        )
    }
)
