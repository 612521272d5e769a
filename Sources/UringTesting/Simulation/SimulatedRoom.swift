internal import CUring
import UringEngine

/// The header that a receive of messages was given, and how a datagram lies in a buffer by it.
///
/// > Thread: On the simulation's thread only.
/// > Ownership: Who submitted keeps the header until the terminal completion, with which this ends.
@safe struct SimulatedRoom {
    // Safety: see Ownership; the header's pointers lead to memory of the same owner.
    private let message: UnsafeMutablePointer<cu_message>
    private let layout: MessageLayout

    init(_ message: UnsafeMutablePointer<cu_message>) {
        unsafe self.message = message
        layout = MessageLayout(
            nameBytes: unsafe Int(message.pointee.header.msg_namelen),
            controlBytes: unsafe Int(message.pointee.header.msg_controllen)
        )
    }

    /// Head, sender and bytes, as a multishot receive fills a buffer.
    func contents(of datagram: SimulatedDatagram, bufferBytes: Int) -> [UInt8] {
        let room = bufferBytes - layout.payloadOffset
        let name = datagram.sender.map(ScriptedDriver.kernelForm) ?? []
        let flags = datagram.bytes.count > room ? MessageHead.truncated : 0
        var contents: [UInt8] = []
        for word in [Int32(name.count), 0, Int32(datagram.bytes.count), flags] {
            unsafe withUnsafeBytes(of: word) { unsafe contents.append(contentsOf: $0) }
        }
        contents += name.prefix(layout.nameBytes)
        while contents.count < layout.payloadOffset { contents.append(0) }
        return contents + datagram.bytes.prefix(room)
    }

    /// The bytes alone; the sender goes into the header, as of recvmsg(2).
    func fill(with datagram: SimulatedDatagram, bufferBytes: Int) -> [UInt8] {
        let name = datagram.sender.map(ScriptedDriver.kernelForm) ?? []
        unsafe message.pointee.header.msg_name?.copyMemory(
            from: name,
            byteCount: min(name.count, layout.nameBytes)
        )
        unsafe message.pointee.header.msg_namelen = UInt32(name.count)
        unsafe message.pointee.header.msg_controllen = 0
        unsafe message.pointee.header.msg_flags =
            datagram.bytes.count > bufferBytes ? MessageHead.truncated : 0
        return Array(datagram.bytes.prefix(bufferBytes))
    }
}
