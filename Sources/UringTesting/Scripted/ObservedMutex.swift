#if URINGCORE_OBSERVED_LOCKS
internal import UringEngine

typealias Mutex<Value: ~Copyable> = ObservedMutex<Value>
#endif
