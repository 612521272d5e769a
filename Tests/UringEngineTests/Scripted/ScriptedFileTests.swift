import Testing
import UringEngine
import UringTesting

@Suite struct ScriptedFileTests {
    private static let path = SocketAddress.unix(Array("/run/x".utf8))
    private let driver = ScriptedDriver()

    private func identity() throws -> FileIdentity? {
        try driver.fileStatus(at: Self.path)?.identity
    }

    private func bound() throws -> Descriptor {
        let socket = try driver.openStreamSocket(for: Self.path)
        try driver.bind(socket, to: Self.path)
        return socket
    }

    @Test func makesAFileWithABindAsAKernelDoes() throws {
        let socket = try driver.openStreamSocket(for: Self.path)
        try driver.setPermissions(0o666, of: socket)
        try driver.bind(socket, to: Self.path)
        let status = try #require(try driver.fileStatus(at: Self.path))
        #expect(status.isSocket)
        #expect(status.permissions == 0o644, "less the umask")
        #expect(try driver.isBound(Self.path))
        driver.close(socket)
        #expect(try !driver.isBound(Self.path))
        #expect(try driver.fileStatus(at: Self.path) == status, "a close leaves the file")
    }

    @Test func refusesASecondBind() throws {
        _ = try bound()
        let error = #expect(throws: IOError.self) { try bound() }
        #expect(error?.errno == .addressInUse)
        #expect(driver.journal.last == .refused(.bind, .addressInUse))
    }

    @Test func givesTheNumbersOfARemovedFileOutAgainUnlessItsSocketIsOpen() throws {
        let first = try bound()
        let before = try identity()
        driver.removeFile(at: Self.path)
        driver.close(try bound())
        #expect(try identity() != before, "the first socket holds them")
        let second = try identity()
        try driver.unlink(Self.path)
        _ = try bound()
        #expect(try identity() == second)
        driver.close(first)
    }

    @Test func changesThePermissionsOfThatFileOnly() throws {
        _ = try bound()
        let file = try #require(try identity())
        try driver.setPermissions(0o660, of: file, at: Self.path)
        #expect(driver.file(at: Self.path)?.status.permissions == 0o660)
        let other = FileIdentity(device: 1, inode: 99)
        let error = #expect(throws: IOError.self) {
            try driver.setPermissions(0o666, of: other, at: Self.path)
        }
        #expect(error?.errno == .notFound)
        #expect(driver.file(at: Self.path)?.status.permissions == 0o660)
    }

    @Test func findsNothingWhereNothingIs() throws {
        #expect(try driver.fileStatus(at: Self.path) == nil)
        #expect(try !driver.isBound(Self.path))
        let error = #expect(throws: IOError.self) { try driver.unlink(Self.path) }
        #expect(error?.errno == .notFound)
    }

    @Test func connectsAtOnce() throws {
        let socket = try driver.openStreamSocket(for: Self.path)
        driver.failNext(.connectAtOnce, with: .again)
        #expect(throws: IOError.self) { try driver.connectAtOnce(socket, to: Self.path) }
        try driver.connectAtOnce(socket, to: Self.path)
        #expect(try driver.peerAddress(of: socket) == Self.path)
        #expect(driver.journal.last == .connected(socket, to: Self.path))
    }
}
