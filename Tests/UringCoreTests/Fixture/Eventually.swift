import Dispatch

/// Waits until `condition` holds, which is looked at once a millisecond.
func eventually(_ what: String, _ condition: @escaping @Sendable () -> Bool) async throws {
    let gate = EventGate()
    let look = DispatchSource.makeTimerSource()
    look.schedule(deadline: .now(), repeating: .milliseconds(1))
    look.setEventHandler { if condition() { gate.open() } }
    look.resume()
    defer { look.cancel() }
    try await gate.opened(what)
}
