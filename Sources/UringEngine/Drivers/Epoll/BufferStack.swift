/// The pool buffers that receives may fill, the last one back first: its memory is in the cache.
///
/// > Thread: On-loop only.
/// > Ownership: It holds numbers, not memory; the pool's region stays mapped until the driver has
/// > shut down.
@safe struct BufferStack: ~Copyable {
    // Safety: `capacity` numbers, allocated in `adopt`, freed in deinit; those below `provided` are
    // initialized. The region is the pool's, see Ownership.
    private var numbers: UnsafeMutablePointer<BufferID>?
    private var base: UnsafeMutableRawPointer?
    private var capacity = 0
    /// The size of one buffer, in bytes.
    private(set) var bufferBytes = 0
    /// Those that were published.
    private(set) var count = 0
    /// Those, and behind them what was provided since.
    private var provided = 0

    /// Has nothing, before a pool is adopted.
    init() {}

    deinit {
        unsafe numbers?.deallocate()
    }

    /// Learns the pool's memory.
    mutating func adopt(_ region: PoolRegion) {
        unsafe numbers = .allocate(capacity: region.bufferCount)
        unsafe base = region.base
        capacity = region.bufferCount
        bufferBytes = region.bufferBytes
    }

    /// Takes buffers over; receives see them after `publish`.
    @inline(__always)
    mutating func provide(_ buffers: UnsafeBufferPointer<BufferID>) {
        precondition(
            provided &+ buffers.count <= capacity,
            "each buffer of the pool is provided once"
        )
        guard let numbers = unsafe numbers else { return }
        for position in 0..<buffers.count {
            let buffer = unsafe buffers[position]
            precondition(
                Int(buffer.rawValue) < capacity,
                "a buffer of the adopted pool is provided"
            )
            unsafe (numbers + provided).initialize(to: buffer)
            provided &+= 1
        }
    }

    /// Lets receives see what was provided.
    @inline(__always)
    mutating func publish() { count = provided }

    /// The buffer that the next receive fills; it is taken by `takeNext` when there were bytes for it.
    ///
    /// Safety: as the pool's memory.
    @inline(__always)
    var next: (buffer: BufferID, address: UnsafeMutableRawPointer)? {
        guard count > 0, let numbers = unsafe numbers, let base = unsafe base else { return nil }
        let buffer = unsafe numbers[count &- 1]
        let offset = Int(buffer.rawValue) &* PoolRegion.strideBytes(bufferBytes)
        return unsafe (buffer, base + offset)
    }

    /// Where the buffer lies that will be the next after `index` others.
    ///
    /// Precondition: there are more than that.
    ///
    /// Safety: as the pool's memory.
    @inline(__always)
    func address(ofNext index: Int) -> UnsafeMutableRawPointer? {
        precondition(index < count, "only a buffer that is there has a place")
        guard let numbers = unsafe numbers, let base = unsafe base else { return nil }
        let buffer = unsafe numbers[count &- 1 &- index]
        let offset = Int(buffer.rawValue) &* PoolRegion.strideBytes(bufferBytes)
        return unsafe base + offset
    }

    /// Takes the buffer of `next`.
    @inline(__always)
    mutating func takeNext() {
        guard let numbers = unsafe numbers else { return }
        count &-= 1
        provided &-= 1
        // What was provided and not published lies above: its last one fills the gap.
        unsafe numbers[count] = numbers[provided]
    }
}
