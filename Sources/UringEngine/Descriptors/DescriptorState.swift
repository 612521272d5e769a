/// Where a descriptor is in its life.
///
/// It only moves down this list.
///
/// > Thread: On-loop only.
package enum DescriptorState: Hashable, Sendable {
    /// The slot holds no descriptor.
    case free
    /// Operations may begin on it.
    case open
    /// Everything on it was cancelled; it closes when nothing is in flight.
    case reaping(CloseMode)
}

/// How a descriptor ends.
///
/// > Thread: Any thread.
package enum CloseMode: Hashable, Sendable {
    /// close(2): what was written is still sent, then FIN.
    case orderly
    /// The peer gets RST: never a FIN that claims completeness.
    case reset
    /// The descriptor belongs to somebody else and stays open.
    case letGo
    /// The same, and the driver has let go of it already: its number may be another's by now.
    case wasLetGo
}
