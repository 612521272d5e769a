/// Objects that come and go, told of something in the order in which they came.
///
/// A dictionary alone has another order in each process, and what is told first is seen outside.
///
/// > Thread: On-loop only.
struct Registrations<Object: AnyObject> {
    private var objects: [UInt64: Object] = [:]
    private var numbersGiven: UInt64 = 0

    var count: Int { objects.count }
    var isEmpty: Bool { objects.isEmpty }

    /// Adds one.
    ///
    /// - Returns: the number to remove it by.
    mutating func add(_ object: Object) -> UInt64 {
        numbersGiven += 1
        objects[numbersGiven] = object
        return numbersGiven
    }

    /// Removes one; a number that is gone does no harm.
    mutating func remove(_ number: UInt64) {
        objects[number] = nil
    }

    /// Those that are there now, the oldest first.
    var inOrder: [Object] {
        objects.keys.sorted().compactMap { objects[$0] }
    }
}
