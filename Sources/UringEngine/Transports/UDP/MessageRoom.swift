internal import CUring

/// The headers that an endpoint's receives and sends are described with.
///
/// > Thread: On-loop only.
/// > Ownership: Its endpoint's. While a receive is in flight the kernel may write here: `leave` then
/// > gives the memory up on purpose.
@safe final class MessageRoom {
    // Safety: allocated in init, freed in deinit unless left to the kernel; `control` lies behind
    // `received` in one allocation each.
    /// The header of receives.
    let message: UnsafeMutablePointer<cu_message>
    /// Where the sender goes, where that is not the buffer.
    private let sender: UnsafeMutablePointer<cu_address>
    private let control: UnsafeMutableRawPointer
    private let controlBytes: Int
    private let nameBytes: Int
    /// The target of the send at hand.
    let target: UnsafeMutablePointer<cu_address>
    private var isLeft = false

    init(_ layout: MessageLayout) {
        nameBytes = layout.nameBytes
        controlBytes = layout.controlBytes
        unsafe message = .allocate(capacity: 1)
        unsafe message.initialize(to: cu_message())
        unsafe sender = .allocate(capacity: 1)
        unsafe sender.initialize(to: cu_address())
        unsafe target = .allocate(capacity: 1)
        unsafe target.initialize(to: cu_address())
        unsafe control = .allocate(byteCount: max(layout.controlBytes, 8), alignment: 8)
        unsafe control.initializeMemory(as: UInt8.self, repeating: 0, count: max(controlBytes, 8))
    }

    deinit {
        unsafe target.deallocate()
        guard !isLeft else { return }
        unsafe message.deallocate()
        unsafe sender.deallocate()
        unsafe control.deallocate()
    }

    /// The kernel never ended the receive: it keeps the memory.
    func leave() {
        isLeft = true
    }

    /// Asks for so much sender and control data as the layout has room for.
    func prepare() -> UnsafeMutablePointer<cu_message> {
        unsafe message.pointee = cu_message()
        if nameBytes > 0 {
            unsafe message.pointee.header.msg_name = UnsafeMutableRawPointer(sender)
            unsafe message.pointee.header.msg_namelen = UInt32(nameBytes)
        }
        if controlBytes > 0 {
            unsafe message.pointee.header.msg_control = control
            unsafe message.pointee.header.msg_controllen = controlBytes
        }
        return unsafe message
    }

    // MARK: What a one-shot receive left here

    /// The sender; nil when there was no address.
    var receivedName: SocketAddress? {
        let count = unsafe min(Int(message.pointee.header.msg_namelen), nameBytes)
        return unsafe SocketAddress(
            kernelBytes: UnsafeRawBufferPointer(start: sender, count: count)
        )
    }

    /// The size of the segments that were put together; nil when it is one datagram.
    var receivedSegmentBytes: Int? {
        let count = unsafe min(Int(message.pointee.header.msg_controllen), controlBytes)
        return unsafe ControlMessages.segmentBytes(
            in: UnsafeRawBufferPointer(start: control, count: count)
        )
    }

    /// There were more bytes than the buffer had room for.
    var isTruncated: Bool {
        unsafe message.pointee.header.msg_flags & MessageHead.truncated != 0
    }
}
