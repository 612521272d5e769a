package import UringEngine

/// What one `submitAndWait` of a `ScriptedDriver` was like.
///
/// > Thread: Any thread.
package struct ScriptedWait: Hashable, Sendable {
    /// How long the loop was ready to wait.
    package let bound: WaitBound
    /// How many operations it handed over.
    package let submissionCount: Int
    /// Completions lay unread when it was called.
    package let hadUnreadCompletions: Bool
    /// A real driver would have made its system call.
    package let isEnter: Bool
    /// The clock when it was called, in nanoseconds.
    package let startNanoseconds: UInt64
}
