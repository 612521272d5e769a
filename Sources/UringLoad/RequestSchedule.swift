/// When the requests of an open loop are due: request *i* at *i* / rate after the start, whatever
/// became of those before it.
///
/// Request *i* belongs to connection *i* mod N, so that each connection has a fixed timetable of
/// its own, and nothing but numbers needs to be kept.
///
/// A closed loop waits for an answer before it asks again. When the server stands still for a
/// second, so does such a client: one slow request is noted where a thousand users would have
/// waited, and the percentiles look fine. This is called coordinated omission. Here the timetable
/// goes on while the server stands still, and a request's latency counts from when it was *due*,
/// not from when it could be sent: the time it waited behind others, in the server or in this
/// client, is what a user would have waited, and is in the figures.
///
/// > Thread: Any thread.
struct RequestSchedule: Hashable, Sendable {
    private let rate: UInt64
    private let connections: UInt64

    /// Lays out so many requests a second over so many connections.
    init(rate: Int, connections: Int) {
        self.rate = UInt64(rate)
        self.connections = UInt64(connections)
    }

    /// Nanoseconds after the start at which a connection's message is due, both counted from 0.
    ///
    /// Exact: no rounding adds up over a long run.
    func nanoseconds(ofMessage message: Int, onConnection connection: Int) -> UInt64 {
        let request = UInt64(message) &* connections &+ UInt64(connection)
        let (seconds, rest) = request.quotientAndRemainder(dividingBy: rate)
        return seconds &* 1_000_000_000 &+ rest &* 1_000_000_000 / rate
    }
}
