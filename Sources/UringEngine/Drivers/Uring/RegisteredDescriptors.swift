internal import CUring

/// The ring's own table of open files, sparse, with a list of its free places.
///
/// A place holds the file itself, not its number: unless it is emptied first, a closed file stays
/// open there, and a later user of the place would be served from it.
///
/// > Thread: On-loop only.
struct RegisteredDescriptors {
    /// Places; whoever finds none goes without.
    static let placesMax = 1_024

    private var free: [RegisteredPlace] = []
    /// Nothing was tried yet.
    private var isUntried: Bool
    /// Files in the table.
    private(set) var count = 0

    /// Makes a table when it is first needed, unless it is not wanted.
    init(isWanted: Bool) {
        isUntried = isWanted
    }

    /// Puts a file into a free place; nil where there is none, or no table.
    mutating func add(_ descriptor: Descriptor, to ring: UringRing) -> RegisteredPlace? {
        if isUntried { makeTable(in: ring) }
        guard let place = free.popLast() else { return nil }
        // Safety: the ring's structure lives as long as the ring.
        let result = unsafe cu_set_registered(
            ring.raw,
            UInt32(place.rawValue),
            descriptor.rawValue
        )
        guard result == 1 else {
            // EBADF, ENOMEM: it goes without.
            free.append(place)
            return nil
        }
        count += 1
        return place
    }

    /// Empties a place, from which the kernel lets go of the file at once.
    mutating func remove(_ place: RegisteredPlace, from ring: UringRing) {
        // Safety: as above.
        let result = unsafe cu_set_registered(ring.raw, UInt32(place.rawValue), -1)
        count -= 1
        // A place that could not be emptied is never used again.
        if result == 1 { free.append(place) }
    }

    private mutating func makeTable(in ring: UringRing) {
        isUntried = false
        // EINVAL before Linux 5.19, ENOMEM, EMFILE: without a table nothing is registered.
        // Safety: as above.
        guard unsafe cu_make_descriptor_table(ring.raw, UInt32(Self.placesMax)) == 0 else { return }
        free = (0..<Int32(Self.placesMax)).reversed().map(RegisteredPlace.init(rawValue:))
    }
}
