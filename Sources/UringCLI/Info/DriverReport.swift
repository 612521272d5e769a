internal import UringCore

/// What shards would stand on, and what a ring made on this thread turned out to be, or why there is
/// none.
struct DriverReport {
    /// One feature: in use or not, and what decided it.
    struct Feature {
        let name: String
        let isOn: Bool
        let reason: String
    }

    /// What was asked for.
    let choice: BackendChoice
    /// What it comes to; nil where a server would not start.
    let backend: Backend?
    let rung: String?
    let sizes: RingSizes?
    let features: [Feature]
    /// What the set-up had to say.
    let notes: [String]
    /// Why there is no ring.
    let failure: IOError?

    /// Makes a ring as a shard would, looks at it, and lets it go; none where epoll is asked for.
    init(_ options: LoopOptions) {
        guard options.backend != .epoll else {
            self.init(withoutRing: .epoll, options.backend, "epoll is used")
            return
        }
        let log = Log()
        var ringOptions = options.uringDriver
        ringOptions.log = { log.lines.append($0) }
        do throws(IOError) {
            let driver = try UringDriver(options: ringOptions)
            self.init(driver, options.backend, notes: log.lines)
            _ = driver.shutDown(graceNanoseconds: 1_000_000_000)
        } catch {
            let fallsBack = options.backend == .auto && error.meansNoUring
            self.init(
                withoutRing: fallsBack ? .epoll : nil,
                options.backend,
                "there is no ring",
                failure: error,
                notes: log.lines
            )
        }
    }

    private init(_ driver: UringDriver, _ choice: BackendChoice, notes: [String]) {
        self.choice = choice
        self.notes = notes
        backend = .uring
        failure = nil
        rung = driver.rung.name
        sizes = driver.sizes
        features = driver.featureReport.map {
            Feature(name: $0.feature.rawValue, isOn: $0.isOn, reason: $0.reason)
        }
    }

    private init(
        withoutRing backend: Backend?,
        _ choice: BackendChoice,
        _ reason: String,
        failure: IOError? = nil,
        notes: [String] = []
    ) {
        self.choice = choice
        self.backend = backend
        self.failure = failure
        self.notes = notes
        rung = nil
        sizes = nil
        features = KernelFeature.allCases.map {
            Feature(name: $0.rawValue, isOn: false, reason: reason)
        }
    }

    private final class Log {
        var lines: [String] = []
    }
}
