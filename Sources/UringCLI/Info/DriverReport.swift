internal import UringCore

/// What a ring made on this thread turned out to be, or why there is none.
struct DriverReport {
    /// One feature: in use or not, and what decided it.
    struct Feature {
        let name: String
        let isOn: Bool
        let reason: String
    }

    let rung: String?
    let sizes: RingSizes?
    let features: [Feature]
    /// What the set-up had to say.
    let notes: [String]
    /// Why there is no ring.
    let failure: IOError?

    /// Makes a ring as a shard would, looks at it, and lets it go.
    init(_ options: LoopOptions) {
        let log = Log()
        var options = options.uringDriver
        options.log = { log.lines.append($0) }
        do throws(IOError) {
            let driver = try UringDriver(options: options)
            rung = driver.rung.name
            sizes = driver.sizes
            features = driver.featureReport.map {
                Feature(name: $0.feature.rawValue, isOn: $0.isOn, reason: $0.reason)
            }
            failure = nil
            _ = driver.shutDown(graceNanoseconds: 1_000_000_000)
        } catch {
            rung = nil
            sizes = nil
            features = KernelFeature.allCases.map {
                Feature(name: $0.rawValue, isOn: false, reason: "there is no ring")
            }
            failure = error
        }
        notes = log.lines
    }

    private final class Log {
        var lines: [String] = []
    }
}
