internal import CUring
internal import Glibc

/// Slots at stable addresses, grown by 1,024 at a time, reached by index in one step.
///
/// The whole address range is reserved at once (MAP_NORESERVE); memory comes with the first touch
/// of a page. Stable addresses matter twice: the kernel may keep pointers into a slot, and no
/// growth moves what is in use. One range instead of a table of chunks saved four loads a lookup,
/// five lookups a request.
///
/// > Thread: On-loop only.
/// > Ownership: Slots are initialized by `grow` and destroyed with the slab.
@safe package struct SlotSlab<Slot>: ~Copyable {
    /// Slots added by one growth.
    package static var growthSlots: Int { 1024 }

    // Safety: mapped in init, unmapped in deinit; the first `count` slots are initialized; an index
    // is checked in debug builds and wherever it comes from the kernel.
    private let base: UnsafeMutablePointer<Slot>
    private let slotsMax: Int
    private let addressMask: Int
    private let header: UnsafeMutablePointer<Int>

    /// Reserves addresses for at most `slotsMax` slots, rounded up to a growth.
    ///
    /// - Throws: ENOMEM as an error of `.mapMemory` that names the bytes: an address-space limit
    ///   (`ulimit -v`).
    package init(slotsMax: Int) throws(IOError) {
        self.slotsMax =
            (slotsMax + Self.growthSlots - 1) / Self.growthSlots * Self.growthSlots
        self.addressMask = (1 << (Int.bitWidth - (self.slotsMax - 1).leadingZeroBitCount)) - 1
        let byteCount = (addressMask + 1) * MemoryLayout<Slot>.stride
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        let range = unsafe mmap(nil, byteCount, PROT_READ | PROT_WRITE, flags, -1, 0)
        guard let range = unsafe range, unsafe range != MAP_FAILED else {
            throw IOError(
                .mapMemory,
                errno: .current,
                detail: "\(byteCount) bytes of addresses; see `ulimit -v`"
            )
        }
        unsafe self.base = range.bindMemory(to: Slot.self, capacity: self.slotsMax)
        unsafe self.header = .allocate(capacity: 1)
        unsafe header.initialize(to: 0)
    }

    deinit {
        unsafe base.deinitialize(count: count)
        unsafe munmap(base, (addressMask + 1) * MemoryLayout<Slot>.stride)
        unsafe header.deallocate()
    }

    /// How many slots exist.
    package var count: Int { unsafe header.pointee }

    /// Adds 1,024 slots.
    ///
    /// - Returns: the indices added; nil when the slab has its full size.
    package func grow(_ makeSlot: (SlotIndex) -> Slot) -> Range<UInt32>? {
        let first = count
        guard first < slotsMax else { return nil }
        for position in first..<(first + Self.growthSlots) {
            let slot = makeSlot(SlotIndex(rawValue: UInt32(position)))
            unsafe (base + position).initialize(to: slot)
        }
        unsafe header.pointee += Self.growthSlots
        return UInt32(first)..<UInt32(first + Self.growthSlots)
    }

    /// Whether the slab has a slot of this index.
    @inline(__always)
    package func contains(_ index: SlotIndex) -> Bool { Int(index.rawValue) < count }

    /// The slot at `index`.
    ///
    /// Precondition: the slab contains it.
    package subscript(index: SlotIndex) -> Slot {
        @inline(__always) unsafeAddress { unsafe UnsafePointer(address(of: index)) }
        @inline(__always) nonmutating unsafeMutableAddress { unsafe address(of: index) }
    }

    /// Where the slot at `index` lies, for a caller that touches it several times.
    ///
    /// Safety: valid as long as the slab.
    @inline(__always)
    package func address(of index: SlotIndex) -> UnsafeMutablePointer<Slot> {
        assert(contains(index), "a slot index comes from this slab")
        return unsafe base + Int(index.rawValue)
    }

    /// Where a slot would lie whose index came from outside: always within the reserved range.
    ///
    /// A slot that was never made reads as zeroes. Safety: the mask keeps every index in the range.
    @inline(__always)
    package func boundedAddress(of index: SlotIndex) -> UnsafeMutablePointer<Slot> {
        unsafe base + (Int(index.rawValue) & addressMask)
    }
}
