import Glibc
import UringCore

/// A loop inside another one, here a plain poll(2): `ForeignLoop`
@main
enum ForeignLoop {
    static func main() throws {
        let loop = try EventLoop(LoopOptions())
        guard let descriptor = try loop.completionDescriptor else { return }
        var isOver = false
        // The loop's own business: a server, a client of it, and a timer.
        let listener = try loop.listen(on: .ipv4(0x7F00_0001, port: 0)) { Greeter() }
        loop.connect(to: [listener.address], makeHandler: { Client() }) { result in
            if case .failure(let error) = result { print("\(error)") }
        }
        loop.callLater(.milliseconds(50)) {
            print("the loop's timer")
            listener.close()
            isOver = true
        }
        // Another thread's: it makes the descriptor readable.
        let posted = loop
        let thread = Task.detached { _ = posted.callSoonThreadsafe { print("posted") } }
        defer { _ = thread }

        var polled = [
            pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
            // The other loop's own descriptors stand here.
        ]
        while !isOver {
            let pause = try loop.step()
            // Up to the next millisecond: rounded down it would turn in vain until the timer is due.
            let wait = pause.nanosecondsLeft.map { Int32(clamping: ($0 + 999_999) / 1_000_000) } ?? -1
            _ = poll(&polled, nfds_t(polled.count), wait)
        }
        loop.shutDown()
    }
}

final class Greeter: StreamHandler {
    func connectionMade(_ transport: StreamTransport) {
        transport.write(Array("hello".utf8))
        transport.close()
    }
    func dataReceived(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) {}
}

final class Client: StreamHandler {
    func dataReceived(_ bytes: consuming ReceivedBytes, on transport: StreamTransport) {
        print("received \(String(decoding: bytes.copyToArray(), as: UTF8.self))")
    }
}
