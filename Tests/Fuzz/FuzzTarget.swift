import CUring
import Glibc

@testable import UringCore
@testable import UringEngine
@testable import UringLoad

/// What reads bytes that others wrote: each must take any of them without a trap, and keep its own word.
///
/// Built by `scripts/fuzz` alone; FUZZ_TARGET names the target of a run.
enum FuzzTarget: String, CaseIterable {
    case token
    case kernelAddress = "kernel-address"
    case message
    case control
    case address
    case loadTarget = "load-target"
    case configuration
    case cpuList = "cpu-list"
    case controlGroup = "control-group"

    static let chosen: FuzzTarget = {
        let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
        guard let target = FuzzTarget(rawValue: name) else {
            let names = allCases.map(\.rawValue).joined(separator: ", ")
            fatalError("FUZZ_TARGET='\(name)' is none of \(names)")
        }
        return target
    }()

    func run(_ bytes: UnsafeRawBufferPointer) {
        let text = String(decoding: bytes, as: UTF8.self)
        switch self {
        case .token: decodeToken(bytes)
        case .kernelAddress: decodeKernelAddress(bytes)
        case .message: decodeMessage(bytes)
        case .control: decodeControl(bytes)
        case .address: parseAddress(text)
        case .loadTarget: parseLoadTarget(text)
        case .configuration: readConfiguration(text)
        case .cpuList: parseCPUList(text)
        case .controlGroup: readControlGroup(text)
        }
    }
}

// MARK: libFuzzer (https://llvm.org/docs/LibFuzzer.html, "Using libFuzzer as a library")

private typealias TestOneInput = @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
private typealias Arguments = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<Arguments>,
    _ test: TestOneInput
) -> CInt

@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    FuzzTarget.chosen.run(UnsafeRawBufferPointer(start: start, count: count))
    return 0
}

/// The name under which SwiftPM looks for a program's main.
@_cdecl("uringcore_fuzz_main")
func fuzzMain(_ count: CInt, _ arguments: OpaquePointer) -> CInt {
    var count = count
    var arguments = Arguments(arguments)
    return runDriver(&count, &arguments, testOneInput)
}

// MARK: What the kernel writes

private func decodeToken(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count >= 16 else { return }
    let token = OperationToken(rawValue: bytes.loadUnaligned(as: UInt64.self))
    let word = bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
    if let kind = token.kind {
        let again = OperationToken(generation: token.generation, kind: kind, slot: token.slot)
        precondition(again == token, "a token is its parts")
        precondition(token.hasKind(kind))
    }
    precondition(token.next.slot == token.slot, "the next use is of the same slot")
    precondition(token.next.generation == token.generation.next)
    let completion = Completion(token: token, kernelWord: word)
    precondition((completion.errno == nil) == (completion.result >= 0))
    precondition(completion.buffersReleased || !completion.isTerminal)
    if let slice = completion.slice {
        precondition(completion.hasBuffer && slice.count == UInt32(max(completion.result, 0)))
    }
}

private func decodeKernelAddress(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count >= 4 else { return }
    var form = cu_address()
    form.length = bytes.loadUnaligned(as: UInt32.self)
    withUnsafeMutableBytes(of: &form.storage) { storage in
        storage.copyMemory(
            from: UnsafeRawBufferPointer(rebasing: bytes[4...].prefix(storage.count))
        )
    }
    guard let address = SocketAddress(form) else { return }
    precondition(!address.description.isEmpty)
    var written = cu_address()
    // A path as the kernel never writes it is refused; any other is read back as it was.
    guard (try? address.store(in: &written)) != nil else { return }
    precondition(SocketAddress(written) == address, "an address survives the way to the kernel")
}

/// The room for the address, the room for control data, and a buffer as a receive of messages fills it.
private func decodeMessage(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count >= 2 else { return }
    let layout = MessageLayout(nameBytes: Int(bytes[0]), controlBytes: Int(bytes[1]))
    let buffer = UnsafeRawBufferPointer(rebasing: bytes[2...])
    guard let head = MessageHead(buffer, layout: layout) else {
        precondition(buffer.count < layout.payloadOffset, "enough bytes are a datagram")
        return
    }
    precondition(head.name.count <= layout.nameBytes && head.control.count <= layout.controlBytes)
    precondition(head.name.upperBound <= head.control.lowerBound)
    precondition(head.control.upperBound <= head.payload.lowerBound)
    precondition(head.payload.upperBound == buffer.count, "no byte is lost, none is made up")
    if let address = SocketAddress(kernelBytes: UnsafeRawBufferPointer(rebasing: buffer[head.name]))
    {
        precondition(!address.description.isEmpty)
    }
    decodeControl(UnsafeRawBufferPointer(rebasing: buffer[head.control]))
}

private func decodeControl(_ bytes: UnsafeRawBufferPointer) {
    var end = 0
    for message in ControlMessages(bytes) {
        precondition(message.data.lowerBound >= end + 16 && message.data.upperBound <= bytes.count)
        end = message.data.upperBound
    }
    if let size = ControlMessages.segmentBytes(in: bytes) { precondition(size > 0) }
}

// MARK: What people write

private func parseAddress(_ text: String) {
    if let address = try? SocketAddress(host: text, port: 7) { expectSame(address) }
    for address in [
        try? SocketAddress(unixPath: text), try? SocketAddress(abstractName: text),
    ] {
        if let address { expectSame(address) }
    }
}

private func expectSame(_ address: SocketAddress) {
    var form = cu_address()
    guard (try? address.store(in: &form)) != nil else {
        preconditionFailure("\(address) was accepted and cannot be used")
    }
    precondition(SocketAddress(form) == address)
}

private func parseLoadTarget(_ text: String) {
    do throws(ConfigurationError) {
        let target = try LoadTarget(text)
        precondition(!target.addresses.isEmpty)
        for address in target.addresses { expectSame(address) }
    } catch {
        expectOneLine(error)
    }
}

/// Lines of `NAME=value`, each without its prefix.
private func readConfiguration(_ text: String) {
    var environment: [String: String] = [:]
    for line in text.split(separator: "\n") {
        guard let equals = line.firstIndex(of: "=") else { continue }
        let name = Setting.prefix + line[..<equals]
        environment[name] = String(line[line.index(after: equals)...])
    }
    do throws(ConfigurationError) {
        let configuration = try Configuration(environment: environment)
        var resolved: [String: String] = [:]
        for setting in configuration.settings { resolved[setting.variable] = setting.value }
        let again = try Configuration(environment: resolved)
        precondition(
            again.resolvedSettings == configuration.resolvedSettings,
            "settings read back are the same"
        )
    } catch {
        expectOneLine(error)
    }
}

private func expectOneLine(_ error: ConfigurationError) {
    precondition(!error.description.contains("\n"), "an error is one line")
}

// MARK: What the kernel tells in text

private func parseCPUList(_ text: String) {
    if let cpus = CPUList.parse(text) {
        precondition(CPUList.parse(CPUList.text(of: cpus)) == cpus, "a list survives being written")
    }
    if let quota = CPUQuota(max: text, source: "cpu.max") {
        precondition(quota.cpus > 0 && quota.threadCount >= 1)
        precondition(!quota.description.isEmpty)
    }
}

/// The memberships, an empty line, the mounts.
private func readControlGroup(_ text: String) {
    let parts = text.split(separator: "\n\n", maxSplits: 1)
    let mounts = MountTable(parts.count > 1 ? String(parts[1]) : "")
    let group = ControlGroup(groups: parts.first.map(String.init) ?? "", mounts: mounts)
    for controller in ["cpu", "cpuset", "memory"] {
        for lineage in group.lineages(of: controller) { precondition(!lineage.folders.isEmpty) }
    }
}
