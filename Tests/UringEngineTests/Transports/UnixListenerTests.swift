import Testing
import UringTesting

@testable import UringEngine

@Suite struct UnixListenerTests {
    private static let path = SocketAddress.unix(Array("/run/server".utf8))
    private static let name = SocketAddress.unix([0] + Array("server".utf8))

    private func options(_ permissions: FilePermissions) -> ListenerOptions {
        var options = ListenerOptions()
        options.unixPermissions = permissions
        return options
    }

    /// The error of a listen that must fail; nothing of it may be left but what lay there before.
    private func refusal(
        _ fixture: LoopFixture,
        _ options: ListenerOptions = ListenerOptions()
    ) throws -> IOError {
        let before = fixture.driver.file(at: Self.path)
        let error = #expect(throws: IOError.self) { try fixture.listen(options, on: Self.path) }
        #expect(fixture.driver.file(at: Self.path) == before)
        try fixture.expectBaseline()
        return try #require(error)
    }

    // MARK: The file

    @Test func makesItsFileBeforeAnybodyCanConnect() throws {
        let fixture = try LoopFixture()
        let listener = try fixture.listen(on: Self.path)
        let descriptor = fixture.listenerDescriptor
        #expect(listener.address == Self.path)
        #expect(
            fixture.driver.events(on: descriptor) == [
                .openedSocket(descriptor, for: Self.path), .permissionsSet(descriptor, 0o600),
                .bound(descriptor, to: Self.path), .listened(descriptor, backlog: 4_096),
            ],
            "and no option of TCP"
        )
        let status = try #require(fixture.driver.file(at: Self.path)?.status)
        #expect(status.isSocket && status.permissions == 0o600)
        try fixture.expectBaseline()
    }

    @Test(arguments: [0, 0o022, 0o077, 0o777] as [UInt32])
    func givesItsFileThePermissionsWhateverTheUmask(umask: UInt32) throws {
        for permissions in [0, 0o600, 0o660, 0o666, 0o777] as [FilePermissions] {
            let fixture = try LoopFixture()
            fixture.driver.umask = umask
            try fixture.listen(options(permissions), on: Self.path)
            #expect(fixture.driver.file(at: Self.path)?.status.permissions == permissions)
            let journal = fixture.driver.journal
            let widened = journal.firstIndex(of: .filePermissionsSet(Self.path, permissions))
            let listened = journal.firstIndex(
                of: .listened(fixture.listenerDescriptor, backlog: 4_096)
            )
            #expect((widened != nil) == (permissions.rawValue & umask != 0))
            #expect(widened ?? 0 < listened ?? 0)
            try fixture.expectBaseline()
        }
    }

    @Test func refusesPermissionsThatAreNone() throws {
        let error = try refusal(LoopFixture(), options(0o1777))
        #expect(error.reason == .invalidArgument)
        #expect(error.detail == "unixPermissions are 0o000 to 0o777, got 0o1777")
    }

    @Test func refusesToShareItsAddress() throws {
        var options = ListenerOptions()
        options.sharesPort = true
        let error = try refusal(LoopFixture(), options)
        #expect(error.reason == .invalidArgument)
        #expect(error.detail?.contains("sharesPort is for TCP, got unix:/run/server") == true)
    }

    @Test func needsNoFileForAnAbstractName() throws {
        let fixture = try LoopFixture()
        try fixture.listen(on: Self.name)
        let descriptor = fixture.listenerDescriptor
        #expect(fixture.driver.file(at: Self.name) == nil)
        #expect(
            fixture.driver.events(on: descriptor) == [
                .openedSocket(descriptor, for: Self.name), .bound(descriptor, to: Self.name),
                .listened(descriptor, backlog: 4_096),
            ]
        )
        try fixture.expectBaseline()
    }

    @Test(arguments: [
        ScriptedCall.openSocket, .setPermissions, .bind, .setFilePermissions, .localAddress,
        .listen,
    ])
    func leavesNothingWhenItCannotListen(call: ScriptedCall) throws {
        let fixture = try LoopFixture()
        fixture.driver.failNext(call, with: .permissionDenied)
        #expect(try refusal(fixture, options(0o666)).errno == .permissionDenied)
    }

    // MARK: What lies there already

    @Test func replacesASocketThatNobodyIsBoundTo() throws {
        let fixture = try LoopFixture()
        fixture.driver.putFile(at: Self.path, isSocket: true)
        try fixture.listen(on: Self.path)
        let file = try #require(fixture.driver.file(at: Self.path))
        #expect(file.owner == fixture.listenerDescriptor)
        #expect(fixture.driver.journal.contains(.unlinked(Self.path)))
        try fixture.expectBaseline()
    }

    @Test func leavesASocketThatIsBoundAlone() throws {
        let fixture = try LoopFixture()
        let other = try fixture.driver.openStreamSocket(for: Self.path)
        try fixture.driver.bind(other, to: Self.path)
        let error = #expect(throws: IOError.self) { try fixture.listen(on: Self.path) }
        #expect(error?.errno == .addressInUse)
        #expect(
            error?.description.hasSuffix(
                "EADDRINUSE (98): unix:/run/server: another socket is bound there and in use"
            ) == true
        )
        #expect(fixture.driver.file(at: Self.path)?.owner == other)
        fixture.driver.close(other)
        try fixture.expectBaseline()
    }

    @Test func leavesWhatIsNoSocketAlone() throws {
        let fixture = try LoopFixture()
        fixture.driver.putFile(at: Self.path, isSocket: false)
        let error = try refusal(fixture)
        #expect(error.errno == .addressInUse)
        #expect(error.detail?.contains("not a socket, and is left alone") == true)
    }

    @Test func leavesAloneWhatTheKernelTellsNothingAbout() throws {
        let fixture = try LoopFixture()
        fixture.driver.putFile(at: Self.path, isSocket: true)
        fixture.driver.failNext(.isBound, with: .permissionDenied)
        let error = try refusal(fixture)
        #expect(error.operation == .inspectFile)
        #expect(error.errno == .permissionDenied)
    }

    @Test func bindsAgainWhenTheFileWentAwayMeanwhile() throws {
        let fixture = try LoopFixture()
        fixture.driver.failNext(.bind, with: .addressInUse)
        try fixture.listen(on: Self.path)
        #expect(!fixture.driver.journal.contains(.unlinked(Self.path)))
        try fixture.expectBaseline()
    }

    @Test func givesUpWhenAnotherIsFaster() throws {
        let fixture = try LoopFixture()
        fixture.driver.failNext(.bind, with: .addressInUse)
        fixture.driver.failNext(.bind, with: .addressInUse)
        #expect(try refusal(fixture).errno == .addressInUse)
    }

    // MARK: The end

    @Test func removesItsFileBeforeItsSocketIsClosed() throws {
        let fixture = try LoopFixture()
        let listener = try fixture.listen(on: Self.path)
        listener.close()
        #expect(fixture.driver.file(at: Self.path) == nil, "at once")
        try fixture.settle()
        let journal = fixture.driver.journal
        let unlinked = try #require(journal.firstIndex(of: .unlinked(Self.path)))
        let closed = try #require(journal.firstIndex(of: .closed(fixture.listenerDescriptor)))
        #expect(unlinked < closed)
        try fixture.expectBaseline()
        #expect(fixture.driver.journal.filter { $0 == .unlinked(Self.path) }.count == 1)
    }

    @Test(arguments: [true, false])
    func leavesAFileThatTookItsName(isSocket: Bool) throws {
        let fixture = try LoopFixture()
        let listener = try fixture.listen(on: Self.path)
        fixture.driver.putFile(at: Self.path, isSocket: isSocket)
        let replacement = fixture.driver.file(at: Self.path)
        listener.close()
        try fixture.settle()
        #expect(fixture.driver.file(at: Self.path) == replacement)
        try fixture.expectBaseline()
    }

    @Test func closesWithoutItsFile() throws {
        let fixture = try LoopFixture()
        try fixture.listen(on: Self.path)
        fixture.driver.removeFile(at: Self.path)
        try fixture.expectBaseline()
        #expect(!fixture.driver.journal.contains(.unlinked(Self.path)))
    }

    @Test(arguments: [ScriptedCall.unlink, .fileStatus])
    func saysWhenItsFileStays(call: ScriptedCall) throws {
        let notes = Notes()
        let fixture = try LoopFixture { $0.log = { notes.lines.append($0) } }
        let listener = try fixture.listen(on: Self.path)
        fixture.driver.failNext(call, with: .permissionDenied)
        listener.close()
        let line = try #require(notes.lines.last)
        #expect(line.hasPrefix("the file of unix:/run/server stays: "), "\(line)")
        #expect(line.contains("EACCES"))
        try fixture.expectBaseline()
    }

    @Test func removesItsFileWhenTheLoopEnds() throws {
        let fixture = try LoopFixture()
        try fixture.listen(on: Self.path)
        #expect(fixture.loop.shutDown() == 0)
        #expect(fixture.driver.file(at: Self.path) == nil)
        #expect(fixture.driver.violations.isEmpty)
    }

    @Test func removesItsFileWhenTheLoopDrains() throws {
        let fixture = try LoopFixture()
        try fixture.listen(on: Self.path)
        fixture.loop.drain()
        #expect(fixture.driver.file(at: Self.path) == nil)
        try fixture.settle()
        try fixture.expectBaseline()
    }

    @Test func belongsToWhoeverOwnsTheSocketWithoutAListener() throws {
        let driver = ScriptedDriver()
        let socket = try ListeningSocket.open(
            on: Self.path,
            options: ListenerOptions(),
            through: driver
        )
        #expect(socket.address == Self.path && socket.file?.address == Self.path)
        #expect(socket.close(through: driver) == nil)
        #expect(driver.file(at: Self.path) == nil)
        driver.putFile(at: Self.path, isSocket: true)
        #expect(socket.file?.remove(through: driver) == nil)
        #expect(driver.file(at: Self.path) != nil, "it removes once")
        #expect(driver.openDescriptors.isEmpty)
    }
}

/// Log lines, all of one thread.
private final class Notes: @unchecked Sendable {
    var lines: [String] = []
}
