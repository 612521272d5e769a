/// Ends another thread's wait.
///
/// A loop's owner of posts calls it after the inbox said that the loop is parked.
///
/// A waker is reference-counted and closes what it writes to with its last handle, so that a late
/// post never writes to a descriptor that was reused.
///
/// > Thread: Any thread.
package protocol Waker: AnyObject, Sendable {
    /// Makes a wait in progress, or else the next one, return.
    func wake()
}
