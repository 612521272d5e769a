internal import CNUMA

/// Where the calling thread may run.
///
/// > Thread: Any thread; it changes the calling one alone.
package enum ThreadAffinity {
    /// Lets the calling thread run on these CPUs only (sched_setaffinity(2)).
    ///
    /// - Throws: an error of `.setOption`: EINVAL when none of them can be used, as after a CPU was
    ///   unplugged.
    package static func bind(to cpus: [Int]) throws(IOError) {
        let numbers = cpus.map { Int32(clamping: $0) }
        // Safety: the numbers are read during the call.
        let result = unsafe cn_run_on_cpus(numbers, Int32(clamping: numbers.count))
        guard result < 0 else { return }
        let detail = "run on CPUs \(CPUList.text(of: cpus))"
        throw IOError(.setOption, errno: Errno(rawValue: -result), detail: detail)
    }
}
