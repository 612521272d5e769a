import Glibc
import Synchronization
import UringEngine

/// Runs blocking work on a thread of its own and waits for it, so that no thread of the global pool
/// is kept from what the test waits for.
func onThread<Value: Sendable>(
    _ body: @escaping @Sendable () throws -> Value
) async throws -> Value {
    try await withHandedThrowingContinuation { continuation in
        startThread { continuation.resume(with: Result { try body() }) }
    }
}

/// Looks until `condition` holds; false when that took too long.
func eventually(_ condition: () -> Bool) -> Bool {
    for _ in 0..<EventGate.patienceSeconds * 1_000 {
        if condition() { return true }
        _ = poll(nil, 0, 1)
    }
    return false
}

/// Waits for a task, but not for ever.
func ended<Value: Sendable>(_ task: Task<Value, any Error>, _ what: String) async throws -> Value {
    let left = LeftValue<Result<Value, any Error>>()
    Task { left.put(await task.result) }
    return try await onThread { try left.take("the end of a task: \(what)") }.get()
}

/// The calling thread, as long as it lives.
func currentThread() -> UInt { UInt(pthread_self()) }

private final class Work: Sendable {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) {
        self.body = body
    }
}

private func startThread(_ body: @escaping @Sendable () -> Void) {
    var thread = pthread_t()
    let context = Unmanaged.passRetained(Work(body)).toOpaque()
    let failure = pthread_create(&thread, nil, runWork, context)
    precondition(failure == 0, "a test can start a thread")
    pthread_detach(thread)
}

// A free function: a closure could be taken for the main actor's.
private func runWork(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { return nil }
    Unmanaged<Work>.fromOpaque(context).takeRetainedValue().body()
    return nil
}

/// What the global pool opens when it first needs it, and the runtime never does.
let ownedByDispatch: Set<String> = ["anon_inode:[timerfd]", "anon_inode:[eventpoll]"]

/// The descriptors of this process and what they are, the directory's own left out.
func openDescriptors() -> Set<String> {
    guard let directory = opendir("/proc/self/fd") else { return [] }
    defer { closedir(directory) }
    var names: Set<String> = []
    while let entry = readdir(directory) {
        let number = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        var target = [UInt8](repeating: 0, count: 256)
        let count = target.withUnsafeMutableBytes { bytes in
            bytes.withMemoryRebound(to: CChar.self) { buffer in
                buffer.baseAddress.map { readlink("/proc/self/fd/" + number, $0, buffer.count) }
                    ?? 0
            }
        }
        guard count > 0, Int32(number) != dirfd(directory) else { continue }
        let name = String(decoding: target.prefix(count), as: UTF8.self)
        guard !ownedByDispatch.contains(name) else { continue }
        names.insert("\(number) is \(name)")
    }
    return names
}
