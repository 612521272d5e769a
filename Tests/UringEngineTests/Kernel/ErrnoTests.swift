import Testing
import UringEngine

@Suite struct ErrnoTests {
    @Test func namesTheNumber() {
        #expect(Errno.connectionReset.description == "ECONNRESET (104)")
        #expect(Errno.noBuffers.description == "ENOBUFS (105)")
    }

    @Test func acceptsNumbersThatNoHeaderNames() {
        #expect(Errno(rawValue: 512).description == "errno 512")
        #expect(Errno(rawValue: -1).description == "errno -1")
        #expect(Errno(rawValue: 0).rawValue == 0)
    }

    @Test func readsAnyNegativeResult() {
        #expect(Errno(result: -104) == .connectionReset)
        #expect(Errno(result: -512).rawValue == 512)
        #expect(Errno(result: .min).rawValue == .min, "the one number without a positive twin")
    }

    @Test func readsAsOneLine() {
        let error = IOError(
            .receive,
            descriptor: Descriptor(rawValue: 7),
            errno: .connectionReset
        )
        #expect("\(error)" == "receive on fd 7 failed: ECONNRESET (104)")
        #expect(error.errno == .connectionReset)
    }

    @Test func saysWithoutADescriptorWhatIsWrong() {
        let error = IOError(.mapMemory, errno: .noMemory, detail: "4096 bytes")
        #expect("\(error)" == "map memory failed: ENOMEM (12): 4096 bytes")
    }

    @Test func hasWordsForEveryReason() {
        let words: [(IOError.Reason, String)] = [
            (.cancelled, "cancelled"), (.deadlineExceeded, "deadline exceeded"),
            (.closed, "already closed"), (.peerGone, "the peer is gone"),
            (.invalidArgument, "invalid argument"),
        ]
        for (reason, text) in words {
            let error = IOError(.connect, reason: reason)
            #expect("\(error)" == "connect failed: \(text)")
            #expect(error.errno == nil)
        }
    }
}
