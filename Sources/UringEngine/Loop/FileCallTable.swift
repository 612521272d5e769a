/// The calls on files that have an operation in flight, by the slot of that operation.
///
/// > Thread: On-loop only.
/// > Ownership: It keeps each call until the terminal completion.
final class FileCallTable {
    // Safety: exclusivity is unchecked; the loop's thread alone touches these, and nothing called from
    // here comes back.
    // An array and no dictionary: slots are used again last-in first-out, so their numbers stay small.
    @safe @exclusivity(unchecked) private var calls: ContiguousArray<FileCall?> = []
    /// Calls in it.
    @safe @exclusivity(unchecked) private(set) var count = 0

    /// Keeps a call.
    func put(_ call: FileCall, at slot: SlotIndex) {
        let position = Int(slot.rawValue)
        if position >= calls.count {
            calls.append(contentsOf: repeatElement(nil, count: position + 1 - calls.count))
        }
        assert(calls[position] == nil, "an operation is one call's")
        calls[position] = call
        count &+= 1
    }

    /// Lets a call go.
    func take(_ slot: SlotIndex) -> FileCall? {
        let position = Int(slot.rawValue)
        guard position < calls.count, let call = calls[position] else { return nil }
        calls[position] = nil
        count &-= 1
        return call
    }

    /// Those in it, by their slots.
    var all: [FileCall] { calls.compactMap(\.self) }

    /// Lets all go.
    func takeAll() -> [FileCall] {
        defer { calls = [] }
        count = 0
        return all
    }
}
