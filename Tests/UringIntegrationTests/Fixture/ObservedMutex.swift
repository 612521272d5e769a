#if URINGCORE_OBSERVED_LOCKS
@testable import UringEngine

typealias Mutex<Value: ~Copyable> = ObservedMutex<Value>
#endif
