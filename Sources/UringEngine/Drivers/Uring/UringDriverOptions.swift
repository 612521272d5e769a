/// How an io_uring driver is set up.
///
/// The engine reads no environment: who embeds it decides.
///
/// > Thread: Before start only.
package struct UringDriverOptions {
    /// The sizes wanted; less under a small memory limit, and the log says so.
    package var sizes = RingSizes.standard
    /// Features that are treated as missing, so that every rung and fallback is tested on a new
    /// kernel.
    package var featuresOff: Set<KernelFeature> = []
    /// Kernel-side submission, when asked for.
    ///
    /// It burns up to a core, and keeps the creator's credentials.
    package var kernelPolling: KernelPolling?
    /// The most io-wq threads for file operations that may block.
    package var boundedWorkersMax: UInt32 = 4
    /// The most io-wq threads for the rest: 400 splices made 400 threads without a limit.
    package var unboundedWorkersMax: UInt32 = 4
    /// How many rings share the memory limit.
    ///
    /// One ring alone shrinks itself on ENOMEM; one of many reports it.
    package var shardCount = 1
    /// Takes one line for a person.
    ///
    /// Called during set-up and shut-down only.
    package var log: (String) -> Void = { _ in }

    /// The defaults.
    package init() {}

    /// Kernel-side submission (SQPOLL).
    package struct KernelPolling: Hashable, Sendable {
        /// How long the kernel's thread looks for entries before it sleeps, in milliseconds.
        package var idleMilliseconds: UInt32

        /// Asks for a polling thread.
        package init(idleMilliseconds: UInt32 = 1000) {
            self.idleMilliseconds = idleMilliseconds
        }
    }
}
