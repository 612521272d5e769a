import Glibc
import Testing

@testable import UringEngine

@Suite("An epoll driver that is set up")
struct EpollSetupTests {
    /// One descriptor for the set, one for the waker.
    @Test(arguments: [0, 1])
    func saysWhichDescriptorIsNotToBeHad(_ left: Int) async {
        await #expect(processExitsWith: .success) { [left] in
            var limit = rlimit()
            getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            // The first free number is as good as any: descriptors are taken from the lowest on.
            let free = dup(0)
            close(free)
            let ordinary = limit.rlim_cur
            limit.rlim_cur = rlim_t(Int(free) + left)
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            let error = #expect(throws: IOError.self) { _ = try EpollDriver() }
            // What looks for leaks at the end of the process opens files.
            limit.rlim_cur = ordinary
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            let call = left == 0 ? "epoll_create1" : "eventfd2"
            try #require(error?.operation == .setUpDriver && error?.errno == .tooManyFiles)
            try #require(error?.detail?.hasPrefix("\(call): ") == true)
            try #require(error?.detail?.contains("`ulimit -n`") == true)
            try #require(error?.meansNoUring == false)
        }
    }

    @Test func canDoEverything() throws {
        let harness = try EpollHarness()
        let capabilities = harness.driver.capabilities
        #expect(capabilities.multishotAccept && capabilities.multishotReceive)
        #expect(capabilities.multishotReceiveMessage)
        #expect(capabilities.receiveBudget && capabilities.multishotPoll)
        #expect(harness.driver.completionDescriptor == nil)
        #expect(harness.driver.summary == "epoll (edge-triggered)")
    }
}

@Suite("An error that means no io_uring")
struct UnavailableTests {
    @Test(arguments: [Errno.notImplemented, .notPermitted, .accessDenied, .invalid, .notSupported])
    func isADenialOrAKernelThatIsTooOld(_ errno: Errno) {
        #expect(IOError(.setUpRing, errno: errno).meansNoUring)
        #expect(!IOError(.setUpDriver, errno: errno).meansNoUring)
        #expect(!IOError(.mapMemory, errno: errno).meansNoUring)
    }

    @Test(arguments: [Errno.noMemory, .tooManyFiles, .tooManyFilesInSystem, .again, .busy])
    func isNoWantOfSomething(_ errno: Errno) {
        #expect(!IOError(.setUpRing, errno: errno).meansNoUring)
    }

    @Test func isNoSilence() {
        #expect(!IOError(.setUpRing, reason: .deadlineExceeded).meansNoUring)
        #expect(!IOError(.makeLoop, reason: .invalidArgument).meansNoUring)
    }
}
