#if URINGCORE_OBSERVED_LOCKS
@testable import UringEngine

typealias Mutex<Value: ~Copyable> = ObservedMutex<Value>

/// How much longer things may take in a build for ThreadSanitizer.
let slowdown = 5
#else
let slowdown = 1
#endif
