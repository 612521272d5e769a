#if URINGCORE_OBSERVED_LOCKS
internal import UringCore

typealias Mutex<Value: ~Copyable> = ObservedMutex<Value>
#endif
