internal import CUring
internal import Glibc

// Safety: every call below passes memory that the kernel uses during the call only, except the
// receives' buffers and header: those are `scratch` and `template`, which live until the terminal
// completion has been read and the buffer ring is reset.
extension RingSelfTest {
    /// One poll answers twice: an eventfd is written twice and never read.
    func multishotPoll() throws(IOError) -> Verdict {
        let event = cu_event_descriptor()
        guard event >= 0 else {
            throw SetupFailure.noDescriptor(Errno(result: event), from: "eventfd2")
        }
        defer { _ = cu_close(event) }
        let token = Self.probeToken.rawValue
        unsafe prepare { unsafe cu_prepare_poll($0, event, UInt32(POLLIN), true, token) }
        for _ in 0..<2 {
            Self.write(8, to: event)
            let answer = try next()
            if answer.isTerminal { return .refused(answer) }
        }
        try cancel()
        return .works
    }

    /// One accept takes two connections of an abstract Unix address, which needs neither network
    /// nor file.
    ///
    /// `isAssumed` is the verdict when such a listener cannot be had (a sandbox): multishot accept
    /// came with the buffer ring, in Linux 5.19.
    func multishotAccept(isAssumed: Bool) throws(IOError) -> Verdict {
        guard let listener = Self.abstractListener() else {
            let reason = "not testable here; came with buf_ring in Linux 5.19"
            return Verdict(isOn: isAssumed, reason: reason)
        }
        var open = [listener.descriptor]
        defer { for descriptor in open { _ = cu_close(descriptor) } }
        for _ in 0..<2 {
            let client = socket(AF_UNIX, Self.stream, 0)
            guard client >= 0 else { throw SetupFailure.noDescriptor(.current, from: "socket") }
            open.append(client)
            guard Self.connect(client, to: listener) else {
                return Verdict(isOn: isAssumed, reason: "not testable here: \(Errno.current)")
            }
        }
        let token = Self.probeToken.rawValue
        unsafe prepare { unsafe cu_prepare_accept($0, listener.descriptor, true, token) }
        for _ in 0..<2 {
            let answer = try next()
            if answer.result >= 0 { open.append(answer.result) }
            switch answer.result < 0 ? Errno(result: answer.result) : nil {
            case .tooManyFiles?, .tooManyFilesInSystem?:
                // The process is short of descriptors; that says nothing about the kernel.
                throw SetupFailure.noDescriptor(Errno(result: answer.result), from: "accept")
            default: break
            }
            if answer.isTerminal { return .refused(answer) }
        }
        try cancel()
        return .works
    }

    /// One receive takes two messages, each in its own buffer, and then the end.
    func multishotReceive(_ buffers: ProvidedBuffers) throws(IOError) -> Verdict {
        let answers = try receive(
            Self.pair(type: Self.messages),
            messages: [1, 1],
            budget: 0,
            buffers
        )
        let received = answers.filter { $0.result == 1 && !$0.isTerminal && $0.buffer != nil }
        return received.count == 2 ? .works : .refused(answers.last)
    }

    /// Of eight buffers' worth of bytes, one receive with a budget of four buffers takes exactly
    /// four, and ends.
    func receiveBudget(_ buffers: ProvidedBuffers) throws(IOError) -> Verdict {
        let size = Self.scratchBytes
        let answers = try receive(
            Self.pair(type: Self.stream),
            messages: [8 * size],
            budget: UInt32(4 * size),
            buffers
        )
        let isExact = answers.count == 4 && answers.allSatisfy { $0.result == Int32(size) }
        return isExact ? .works : .refused(answers.last)
    }

    /// One receive of messages takes two, each in its own buffer behind its head, and then the end.
    func multishotReceiveMessage(_ buffers: ProvidedBuffers) throws(IOError) -> Verdict {
        let answers = try receive(
            Self.pair(type: Self.messages),
            messages: [1, 1],
            budget: 0,
            asMessages: true,
            buffers
        )
        let wanted = Int32(MessageLayout.headBytes + 1)
        let received = answers.filter { $0.result == wanted && !$0.isTerminal && $0.buffer != nil }
        return received.count == 2 ? .works : .refused(answers.last)
    }

    /// One read takes what is written to a pipe while it waits, twice, and then the end.
    func multishotRead(_ buffers: ProvidedBuffers) throws(IOError) -> Verdict {
        let (reader, writer) = try SystemPipe.open()
        defer { _ = cu_close(reader.rawValue) }
        _ = cu_set_nonblocking(reader.rawValue, true)
        let scratch = unsafe provideScratch(to: buffers)
        let token = Self.probeToken.rawValue
        unsafe prepare {
            unsafe cu_prepare_read($0, reader.rawValue, ProvidedBuffers.group, true, token)
        }
        var answers: [Answer] = []
        for _ in 0..<2 where answers.last?.isTerminal != true {
            Self.write(1, to: writer.rawValue)
            answers.append(try next())
        }
        _ = cu_close(writer.rawValue)
        if answers.last?.isTerminal != true { answers += try rest() }
        unsafe scratch.deallocate()
        try buffers.reset(in: ring)
        let received = answers.filter { $0.result == 1 && !$0.isTerminal && $0.buffer != nil }
        return received.count == 2 && answers.last?.result == 0 ? .works : .refused(answers.last)
    }

    private static let scratchBytes = 64
    private static let scratchCount: UInt16 = 16
    private static let stream = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    private static let messages = Int32(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue)

    /// Writes all, closes the writer, then receives to the end: so a terminal completion always
    /// comes.
    private func receive(
        _ pair: (reader: Int32, writer: Int32),
        messages: [Int],
        budget: UInt32,
        asMessages: Bool = false,
        _ buffers: ProvidedBuffers
    ) throws(IOError) -> [Answer] {
        for byteCount in messages { Self.write(byteCount, to: pair.writer) }
        _ = cu_close(pair.writer)
        defer { _ = cu_close(pair.reader) }
        let scratch = unsafe provideScratch(to: buffers)
        let template = UnsafeMutablePointer<cu_message>.allocate(capacity: 1)
        unsafe template.initialize(to: cu_message())
        let token = Self.probeToken.rawValue
        let (reader, group) = (pair.reader, ProvidedBuffers.group)
        unsafe prepare {
            unsafe asMessages
                ? cu_prepare_receive_message($0, reader, template, group, true, false, token)
                : cu_prepare_receive($0, reader, group, true, false, budget, token)
        }
        // When no end comes, the kernel may still write there: then the scratch is left to it for
        // good.
        let answers = try rest()
        unsafe scratch.deallocate()
        unsafe template.deallocate()
        try buffers.reset(in: ring)
        return answers
    }

    /// Gives the kernel memory to receive into; it is the caller's again after the terminal completion.
    private func provideScratch(to buffers: ProvidedBuffers) -> UnsafeMutableRawPointer {
        let count = Int(Self.scratchCount)
        let scratch = UnsafeMutableRawPointer.allocate(
            byteCount: count * Self.scratchBytes,
            alignment: 8
        )
        let mask = UInt16(truncatingIfNeeded: buffers.entryCount - 1)
        let provided = min(Self.scratchCount, UInt16(clamping: buffers.entryCount))
        for id in 0..<provided {
            unsafe cu_provide_buffer(
                buffers.words,
                scratch + Int(id) * Self.scratchBytes,
                UInt32(Self.scratchBytes),
                id,
                mask,
                id
            )
        }
        unsafe cu_publish_buffers(buffers.words, provided)
        return unsafe scratch
    }

    private static func write(_ byteCount: Int, to descriptor: Int32) {
        let bytes = [UInt8](repeating: 1, count: byteCount)
        _ = unsafe Glibc.write(descriptor, bytes, byteCount)
    }

    private static func pair(type: Int32) throws(IOError) -> (reader: Int32, writer: Int32) {
        var ends: [Int32] = [-1, -1]
        guard unsafe socketpair(AF_UNIX, type, 0, &ends) == 0 else {
            throw SetupFailure.noDescriptor(.current, from: "socketpair")
        }
        return (ends[0], ends[1])
    }
}

// Safety: as above; addresses are read or written during the call only.
extension RingSelfTest {
    private struct Listener {
        let descriptor: Int32
        var address: sockaddr_un
        var addressBytes: socklen_t
    }

    /// A listener at an address that the kernel picks (unix(7), autobind).
    private static func abstractListener() -> Listener? {
        let descriptor = socket(AF_UNIX, stream, 0)
        guard descriptor >= 0 else { return nil }
        var listener = Listener(
            descriptor: descriptor,
            address: sockaddr_un(),
            addressBytes: socklen_t(MemoryLayout<sockaddr_un>.size)
        )
        listener.address.sun_family = sa_family_t(AF_UNIX)
        let isBound = unsafe withUnsafeMutablePointer(to: &listener.address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe bind(descriptor, address, socklen_t(MemoryLayout<sa_family_t>.size)) == 0
                    && getsockname(descriptor, address, &listener.addressBytes) == 0
            }
        }
        guard isBound, listen(descriptor, 4) == 0 else {
            _ = cu_close(descriptor)
            return nil
        }
        return listener
    }

    private static func connect(_ client: Int32, to listener: Listener) -> Bool {
        unsafe withUnsafePointer(to: listener.address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe Glibc.connect(client, address, listener.addressBytes) == 0
            }
        }
    }
}
