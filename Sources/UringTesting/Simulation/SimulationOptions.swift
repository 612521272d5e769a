public import UringCore
internal import UringEngine

/// How a simulation is set up.
///
/// > Thread: Any thread.
public struct SimulationOptions: Sendable {
    /// The server's configuration: limits, drain, restarts, balance.
    ///
    /// What is about cores, threads, signals and stalls means nothing in a simulation.
    public var configuration = Configuration()
    /// What goes wrong; nil lets the seed draw it.
    public var faults: SimulationFaults?
    /// How large things are.
    public var limits = SimulationLimits()
    /// The seed draws the sizes of pool, queues and batches, and what the kernel is able to do:
    /// small pools and old kernels among them.
    ///
    /// Off, the configuration's sizes hold on a new kernel.
    public var drawsKernel = true

    /// The defaults.
    public init() {
        configuration.drainSignals = []
    }
}
