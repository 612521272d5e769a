// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

// Tests and benchmarks talk to sockets and to libc directly; marking each such call would say nothing.
let relaxed: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "uringcore",
    products: [
        .library(name: "UringCore", targets: ["UringCore"]),
        .library(name: "UringTesting", targets: ["UringTesting"]),
        .executable(name: "uringcore", targets: ["UringCLI"]),
        .executable(name: "uringcore-simulate", targets: ["UringSimulate"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        .target(
            name: "CUring",
            linkerSettings: [.linkedLibrary("uring")]
        ),
        .target(
            name: "CNUMA",
            linkerSettings: [.linkedLibrary("numa")]
        ),
        .target(
            name: "UringEngine",
            dependencies: [
                "CUring",
                "CNUMA",
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "UringCore",
            dependencies: [
                "UringEngine",
                "CNUMA",
                "CUring",
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "UringTesting",
            dependencies: ["UringCore", "UringEngine", "CUring"],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "UringSimulate",
            dependencies: ["UringTesting", "UringCore"],
            swiftSettings: strict
        ),
        .target(
            name: "UringLoad",
            dependencies: [
                "UringCore",
                "CUring",
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "UringCLI",
            dependencies: [
                "UringCore",
                "UringLoad",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "UringMicroBenchmarks",
            dependencies: ["UringEngine", "UringTesting"],
            path: "Benchmarks/Micro",
            swiftSettings: relaxed
        ),
        .executableTarget(
            name: "UringMessagingBenchmarks",
            dependencies: [
                "UringCore",
                "UringEngine",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Benchmarks/Messaging",
            swiftSettings: relaxed
        ),
        .executableTarget(
            name: "UringFaceBenchmarks",
            dependencies: [
                "UringCore",
                "UringEngine",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Benchmarks/Face",
            swiftSettings: relaxed
        ),
        .executableTarget(
            name: "UringDatagramBenchmarks",
            dependencies: [
                "UringCore",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Benchmarks/Datagrams",
            swiftSettings: relaxed
        ),
        .executableTarget(
            name: "UringFileBenchmarks",
            dependencies: [
                "UringCore",
                "UringEngine",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Benchmarks/Files",
            swiftSettings: relaxed
        ),
        .testTarget(
            name: "UringEngineTests",
            dependencies: ["UringEngine", "UringTesting", "CUring"],
            swiftSettings: relaxed
        ),
        .testTarget(
            name: "UringSimulationTests",
            dependencies: ["UringSimulate", "UringTesting", "UringCore", "UringEngine"],
            swiftSettings: relaxed
        ),
        .testTarget(
            name: "UringIntegrationTests",
            dependencies: ["UringEngine", "UringTesting", "CUring"],
            swiftSettings: relaxed
        ),
        .testTarget(
            name: "UringCoreTests",
            dependencies: ["UringCore", "UringEngine", "UringTesting", "CNUMA"],
            swiftSettings: relaxed
        ),
        .testTarget(
            name: "UringLoadTests",
            dependencies: ["UringLoad", "UringCore"],
            swiftSettings: relaxed
        ),
        .testTarget(
            name: "UringCLITests",
            // So that the tool is built beside the tests; they run it as a program of its own.
            dependencies: ["UringCLI"],
            exclude: ["Embedded", "Peers"],
            swiftSettings: relaxed
        ),
        .testTarget(
            name: "TidyTests",
            swiftSettings: relaxed
        ),
    ]
)

// For `scripts/fuzz` alone: it needs libFuzzer.
if Context.environment["URINGCORE_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "uringcore-fuzz",
            dependencies: ["UringCore", "UringEngine", "UringLoad", "CUring"],
            path: "Tests/Fuzz",
            exclude: ["Corpus"],
            swiftSettings: relaxed
        )
    )
}
