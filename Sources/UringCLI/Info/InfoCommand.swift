internal import ArgumentParser
internal import UringCore

/// `uringcore info`: how the runtime would run here, and why.
struct InfoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info",
        abstract: "Show what the runtime finds here: kernel, driver, cores, limits and settings.",
        discussion: """
            One ring is made and let go again, to learn what works. Where io_uring is not to be had, what takes its place \
            is shown with the reason, and the rest all the same. A setting that cannot be used exits 78.
            """
    )

    @Flag(help: "Write one JSON object.")
    var json = false

    func run() throws {
        let report = try ExitStatus.checkingSettings {
            try InfoReport(.fromEnvironment())
        }
        print(json ? report.json.text() : report.text)
    }
}
