internal import CUring
internal import Glibc

/// One spawn, step by step: whatever fails, nothing of it stays open.
///
/// posix_spawn(3) and not fork(2): the child shares this process's memory until its program begins, so
/// that nothing is copied, and no other thread's lock can be held in it.
///
/// > Thread: Any thread.
/// > Ownership: It owns every descriptor in it; `takeEnd` hands one over, `closeAll` ends the rest.
struct ProcessSpawn {
    private let command: ProcessCommand
    /// The child's descriptors, by number; nil stands for /dev/null.
    private var sources: [Int32: Descriptor?] = [:]
    /// Open for the child alone.
    private var temporary: [Descriptor] = []
    /// This process's ends of its pipes, by the child's number.
    private var ends: [Int32: Descriptor] = [:]

    init(_ command: ProcessCommand) {
        self.command = command
    }

    /// This process's end of the pipe that the child has under a number.
    mutating func takeEnd(of target: Int32) -> Descriptor? {
        ends.removeValue(forKey: target)
    }

    mutating func closeAll() {
        for descriptor in temporary + ends.values { _ = cu_close(descriptor.rawValue) }
        temporary = []
        ends = [:]
    }

    // MARK: Before

    /// Lays out what the child gets.
    ///
    /// - Throws: EMFILE, and EBADF for a number that is not open, naming it.
    mutating func prepare() throws(IOError) {
        try add(command.standardInput, as: 0)
        try add(command.standardOutput, as: 1)
        try add(command.standardError, as: 2)
        for (target, source) in command.descriptors { try add(.descriptor(source), as: target) }
    }

    private mutating func add(
        _ stream: ProcessCommand.Stream,
        as target: Int32
    ) throws(IOError) {
        switch stream {
        case .null: sources[target] = .some(nil)
        case .inherited:
            let isOpen = cu_status_flags(target) >= 0
            sources[target] = .some(isOpen ? try lifted(Descriptor(rawValue: target)) : nil)
        case .descriptor(let source): sources[target] = try lifted(source)
        case .pipe:
            let pipe = try SystemPipe.open()
            let isInput = target == 0
            ends[target] = isInput ? pipe.writer : pipe.reader
            let own = isInput ? pipe.reader : pipe.writer
            temporary.append(own)
            sources[target] = try lifted(own)
        }
    }

    /// One past the child's highest number.
    private var beyond: Int32 { max(command.descriptors.keys.max() ?? 0, 2) + 1 }

    /// A duplicate above all of the child's numbers: so no step of the child's overwrites what a later
    /// one needs.
    private mutating func lifted(_ source: Descriptor) throws(IOError) -> Descriptor {
        let copy = cu_duplicate(source.rawValue, beyond)
        guard copy >= 0 else {
            throw IOError(
                .spawn,
                descriptor: source,
                errno: Errno(result: copy),
                detail: command.name
            )
        }
        temporary.append(Descriptor(rawValue: copy))
        return Descriptor(rawValue: copy)
    }

    // MARK: The call

    /// Starts the child.
    ///
    /// - Returns: its number.
    /// - Throws: ENOENT, EACCES, ENOEXEC and others of execve(2), naming the program.
    func start() throws(IOError) -> Int32 {
        let texts = CStringList([command.program] + command.arguments)
        let variables = CStringList(command.entries)
        let result = call(texts, variables)
        if result < 0 { throw command.failure(Errno(result: result)) }
        return result
    }

    // Safety: everything that the structure points to lives until the call has returned.
    private func call(_ texts: CStringList, _ variables: CStringList) -> Int32 {
        let targets = sources.keys.sorted()
        let origins = targets.map { sources[$0]??.rawValue ?? -1 }
        return unsafe targets.withUnsafeBufferPointer { targets in
            unsafe origins.withUnsafeBufferPointer { origins in
                unsafe command.program.withCString { program in
                    unsafe withDirectory { directory in
                        var request = unsafe cu_spawn()
                        unsafe request.program = program
                        unsafe request.searches_path = !command.program.contains("/")
                        unsafe request.group = group
                        unsafe request.arguments = UnsafePointer(texts.pointers)
                        unsafe request.environment = UnsafePointer(variables.pointers)
                        unsafe request.directory = directory
                        unsafe request.targets = targets.baseAddress
                        unsafe request.sources = origins.baseAddress
                        unsafe request.count = Int32(targets.count)
                        unsafe request.beyond = beyond
                        return unsafe cu_spawn(&request)
                    }
                }
            }
        }
    }

    // Safety: as above.
    private func withDirectory(_ body: (UnsafePointer<CChar>?) -> Int32) -> Int32 {
        guard let directory = command.workingDirectory else { return body(nil) }
        return unsafe directory.withCString { unsafe body($0) }
    }

    private var group: Int32 {
        switch command.grouping {
        case .parents: Int32(CU_SPAWN_SAME_GROUP)
        case .own: Int32(CU_SPAWN_OWN_GROUP)
        case .session: Int32(CU_SPAWN_OWN_SESSION)
        }
    }
}

/// Texts as execve(2) takes them: pointers to C strings, a null pointer behind the last.
///
/// > Thread: Any thread.
@safe final class CStringList {
    // Safety: the strings are copies of its own, freed with it.
    let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    init(_ texts: [String]) {
        count = texts.count
        unsafe pointers = .allocate(capacity: texts.count + 1)
        for position in texts.indices {
            unsafe (pointers + position).initialize(to: strdup(texts[position]))
        }
        unsafe (pointers + texts.count).initialize(to: nil)
    }

    deinit {
        for position in 0..<count { unsafe free(pointers[position]) }
        unsafe pointers.deallocate()
    }
}
