import CUring
import Glibc
import Testing

@testable import UringEngine

extension Integration {
    @Suite("Readers and writers") struct ReaderTests {
        /// What a callback did, on the loop.
        private final class Calls: @unchecked Sendable {
            var count = 0
            var bytes: [UInt8] = []
            let called = Gate()
        }

        private func readOne(_ descriptor: Int32, into calls: Calls) {
            var byte: UInt8 = 0
            if read(descriptor, &byte, 1) == 1 { calls.bytes.append(byte) }
            calls.count += 1
            calls.called.open()
        }

        /// Level-triggered: one byte is read a call, and nothing new comes.
        @Test(arguments: Rung.all)
        func areCalledAgainWhileSomethingIsLeft(rung: Rung) throws {
            try withLoop(rung) { server in
                let pipe = try RawPipe()
                let (reader, calls) = (pipe.reader, Calls())
                try pipe.write([1, 2, 3, 4, 5])
                try server.run { loop in
                    try loop.addReader(Descriptor(rawValue: reader)) {
                        readOne(reader, into: calls)
                    }
                }
                for _ in 0..<5 { try calls.called.wait("a call for each byte") }
                try passTime(.milliseconds(20))
                #expect(try server.run { _ in calls.bytes } == [1, 2, 3, 4, 5])
                #expect(try server.run { _ in calls.count } == 5, "none without anything to read")
                try pipe.write([6])
                try calls.called.wait("a call for what came later")
                #expect(try server.run { $0.removeReader(Descriptor(rawValue: reader)) })
                #expect(try server.run { !$0.removeReader(Descriptor(rawValue: reader)) })
                try pipe.write([7])
                try passTime(.milliseconds(20))
                #expect(try server.run { _ in calls.count } == 6)
            }
        }

        @Test(arguments: Rung.all)
        func areCalledHoweverManyJobsAreReady(rung: Rung) throws {
            try withLoop(rung) { server in
                let pipe = try RawPipe()
                let (reader, calls, isOver) = (pipe.reader, Calls(), Counter())
                try server.run { loop in
                    func again() {
                        if isOver.value == 0 { loop.callSoon { again() } }
                    }
                    for _ in 0..<100 { again() }
                    try loop.addReader(Descriptor(rawValue: reader)) {
                        readOne(reader, into: calls)
                    }
                }
                for byte in 0..<20 {
                    try pipe.write([UInt8(byte)])
                    try calls.called.wait("a call beside a busy loop")
                }
                isOver.add()
                try server.run { $0.removeReader(Descriptor(rawValue: reader)) }
            }
        }

        @Test(arguments: Rung.all)
        func mayWatchOneDescriptorTogether(rung: Rung) throws {
            try withLoop(rung) { server in
                var ends: [Int32] = [-1, -1]
                #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
                let (own, other) = (ends[0], ends[1])
                defer { for number in [own, other] { close(number) } }
                let (reads, writes) = (Calls(), Calls())
                let descriptor = Descriptor(rawValue: own)
                try server.run { loop in
                    try loop.addReader(descriptor) { readOne(own, into: reads) }
                    try loop.addWriter(descriptor) {
                        writes.count += 1
                        if writes.count == 3 { loop.removeWriter(descriptor) }
                        writes.called.open()
                    }
                }
                for _ in 0..<3 { try writes.called.wait("a socket with room") }
                try writeAll([1, 2], to: other)
                for _ in 0..<2 { try reads.called.wait("a socket with bytes") }
                #expect(try server.run { _ in writes.count } == 3)
                #expect(try server.run { $0.removeReader(descriptor) })
                try server.eventually("nothing is left") { $0.metrics.operationsInFlight == 0 }
                #expect(fcntl(own, F_GETFD) >= 0, "it stays open")
            }
        }

        @Test(arguments: Rung.all)
        func mayBeRemovedAndAddedInsideTheirCall(rung: Rung) throws {
            try withLoop(rung) { server in
                let pipe = try RawPipe()
                let (reader, first, second) = (pipe.reader, Calls(), Calls())
                let descriptor = Descriptor(rawValue: reader)
                try pipe.write([1, 2])
                try server.run { loop in
                    try loop.addReader(descriptor) {
                        readOne(reader, into: first)
                        loop.removeReader(descriptor)
                        try loop.addReader(descriptor) { readOne(reader, into: second) }
                    }
                }
                try first.called.wait("the first reader")
                try second.called.wait("the second reader")
                #expect(try server.run { _ in (first.count, second.bytes) } == (1, [2]))
                try server.run { $0.removeReader(descriptor) }
            }
        }

        /// The old file is closed and its number is another's: the new one is watched.
        @Test(arguments: Rung.all)
        func followTheNumberWhenTheyAreAddedAnew(rung: Rung) throws {
            try withLoop(rung) { server in
                let (old, new) = (try RawPipe(), try RawPipe())
                let (number, calls) = (old.reader, Calls())
                let descriptor = Descriptor(rawValue: number)
                try server.run { try $0.addReader(descriptor) { Issue.record("the old file") } }
                try server.run { _ in }
                try server.run { loop in
                    loop.removeReader(descriptor)
                    // Closes the old file under this number.
                    #expect(dup2(new.reader, number) == number)
                    try loop.addReader(descriptor) { readOne(number, into: calls) }
                }
                try new.write([9])
                try calls.called.wait("the new file")
                #expect(try server.run { _ in calls.bytes } == [9])
                try server.run { $0.removeReader(descriptor) }
            }
        }

        @Test(arguments: Rung.all)
        func areToldOfTheEnd(rung: Rung) throws {
            try withLoop(rung) { server in
                let pipe = try RawPipe()
                let (reader, calls) = (pipe.reader, Calls())
                let descriptor = Descriptor(rawValue: reader)
                try server.run { loop in
                    try loop.addReader(descriptor) {
                        readOne(reader, into: calls)
                        loop.removeReader(descriptor)
                    }
                }
                pipe.closeWriter()
                try calls.called.wait("the end of the pipe")
                #expect(try server.run { _ in calls.bytes } == [])
            }
        }

        @Test(arguments: Rung.all)
        func mayThrowAndAreCalledOn(rung: Rung) throws {
            struct Oops: Error {}
            try withLoop(rung) { server in
                server.expectsFailures = true
                let pipe = try RawPipe()
                let (reader, calls) = (pipe.reader, Calls())
                try pipe.write([1, 2])
                try server.run { loop in
                    try loop.addReader(Descriptor(rawValue: reader)) {
                        readOne(reader, into: calls)
                        throw Oops()
                    }
                }
                for _ in 0..<2 { try calls.called.wait("a call") }
                try server.run { $0.removeReader(Descriptor(rawValue: reader)) }
                #expect(server.notes.failures.all.count == 2)
                #expect(server.notes.failures.all.allSatisfy { $0.hasPrefix("readiness") })
            }
        }

        @Test(arguments: Rung.all)
        func refuseWhatCannotBeWaitedFor(rung: Rung) throws {
            try withLoop(rung) { server in
                let file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC)
                defer { close(file) }
                try server.run { loop in
                    let wrong = #expect(throws: IOError.self) {
                        try loop.addReader(Descriptor(rawValue: file)) {}
                    }
                    #expect(wrong?.reason == .wrongKind)
                    let closed = #expect(throws: IOError.self) {
                        try loop.addWriter(Descriptor(rawValue: 900_000)) {}
                    }
                    #expect(closed?.errno == .badDescriptor)
                }
            }
        }

        @Test(arguments: Rung.all)
        func refuseTheDescriptorOfAStream(rung: Rung) throws {
            try withLoop(rung) { server in
                let listening = try server.listen { TestHandler() }
                _ = try listening.connect()
                let handler = try listening.accepted()
                try server.run { loop in
                    let stream = try #require(handler.transport)
                    let error = #expect(throws: IOError.self) {
                        try loop.addReader(stream.descriptor) {}
                    }
                    #expect(error?.reason == .busy)
                }
            }
        }

        /// A thousand times, so that old polls and new ones meet.
        @Test(arguments: Rung.all)
        func leaveNothingWhenTheyComeAndGo(rung: Rung) throws {
            try withLoop(rung) { server in
                let pipe = try RawPipe()
                let descriptor = Descriptor(rawValue: pipe.reader)
                try pipe.write([1])
                let count = Counter()
                for _ in 0..<1_000 {
                    try server.run { loop in
                        try loop.addReader(descriptor) { count.add() }
                        try loop.addReader(descriptor) { count.add() }
                        loop.removeReader(descriptor)
                    }
                }
                #expect(count.value == 0)
                try server.eventually("nothing is left") {
                    $0.metrics.operationsInFlight == 0 && $0.metrics.descriptors == 0
                }
            }
        }
    }
}
