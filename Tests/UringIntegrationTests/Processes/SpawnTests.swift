import Glibc
import Testing

@testable import UringEngine

extension Integration {
    @Suite("Processes") struct SpawnTests {
        /// How a process ended, on its way from the loop.
        private final class End: @unchecked Sendable {
            let status = Drop<ProcessStatus>()
        }

        private func spawn(
            _ command: ProcessCommand,
            on server: LoopThread,
            _ handlers: @escaping () -> ProcessHandlers = { ProcessHandlers() }
        ) throws -> (SpawnedProcess, End) {
            let end = End()
            let child = try server.run { loop in
                try loop.spawn(command, handlers: handlers()) { end.status.put($0) }
            }
            return (child, end)
        }

        /// Runs a command whose output is collected.
        private func output(
            of command: ProcessCommand,
            on server: LoopThread
        ) throws -> (String, ProcessStatus) {
            var command = command
            command.standardOutput = .pipe
            let collected = Collected()
            let handed = Handed(value: collected)
            let (_, end) = try spawn(command, on: server) {
                var handlers = ProcessHandlers()
                handlers.output = handed.value
                return handlers
            }
            let status = try end.status.take("the end of \(command.program)")
            try collected.lost.wait("the end of its output")
            let bytes = try server.run { _ in collected.bytes }
            return (String(decoding: bytes, as: UTF8.self), status)
        }

        @Test(arguments: Rung.all) func tellHowTheyEnded(rung: Rung) throws {
            try withLoop(rung) { server in
                for (script, status) in [
                    ("exit 0", ProcessStatus.exited(0)), ("exit 7", .exited(7)),
                    ("kill -9 $$", .signalled(9)), ("kill -PIPE $$", .signalled(SIGPIPE)),
                ] {
                    let (child, end) = try spawn(.shell(script), on: server)
                    #expect(try end.status.take("the end of \(script)") == status)
                    #expect(try server.run { _ in child.status } == status)
                }
            }
        }

        @Test(arguments: Rung.all) func haveTheirOutputWholeWhenTheEndComesFirst(rung: Rung) throws
        {
            try withLoop(rung) { server in
                let script = "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done"
                let (text, status) = try output(of: .shell(script), on: server)
                #expect(status.isSuccess)
                #expect(text == (0..<3_000).map { "line \($0)\n" }.joined())
            }
        }

        /// The shell ends at once; what it has started writes on.
        @Test(arguments: [Rung.everything, .epoll])
        func haveOutputThatOutlivesThem(rung: Rung) throws {
            try withLoop(rung) { server in
                let script = "(read x < /dev/null; for i in 1 2 3; do echo $i; done) & exit 3"
                let (text, status) = try output(of: .shell(script), on: server)
                #expect(status == .exited(3))
                #expect(text == "1\n2\n3\n")
            }
        }

        /// The child closes its input while a megabyte is written to it.
        @Test(arguments: Rung.all) func mayCloseTheirInput(rung: Rung) throws {
            try withLoop(rung) { server in
                signal(SIGPIPE, SIG_DFL)
                var command = ProcessCommand.shell("exec 0<&-; read x < /dev/null; exit 5")
                command.standardInput = .pipe
                let writer = TestHandler { $0.write([UInt8](repeating: 1, count: 1 << 20)) }
                let handed = Handed(value: writer)
                let (_, end) = try spawn(command, on: server) {
                    var handlers = ProcessHandlers()
                    handlers.input = handed.value
                    return handlers
                }
                #expect(try end.status.take("its end") == .exited(5))
                try writer.lost.wait("the end of its input")
                #expect(try server.run { _ in writer.loss?.errno } == .brokenPipe)
            }
        }

        @Test(arguments: Rung.all) func getWhatIsWrittenToThem(rung: Rung) throws {
            try withLoop(rung) { server in
                let pattern = Pattern(seed: 41)
                let total = 700_000
                var command = ProcessCommand("cat")
                command.standardInput = .pipe
                command.standardOutput = .pipe
                let writer = SendingHandler(pattern, totalBytes: total) { $0.writeEOF() }
                let reader = CheckingHandler(pattern, expecting: total)
                let handed = Handed(value: (writer, reader))
                let (_, end) = try spawn(command, on: server) {
                    var handlers = ProcessHandlers()
                    (handlers.input, handlers.output) = handed.value
                    return handlers
                }
                try reader.complete.wait("all bytes, back")
                #expect(try end.status.take("the end of cat").isSuccess)
                try reader.lost.wait("the end of its output")
                #expect(try server.run { _ in reader.firstWrongByte } == nil)
            }
        }

        /// Descriptors come and go on other threads, without close-on-exec, all the while.
        @Test func getNoDescriptorButTheirs() throws {
            try withLoop { server in
                let isOver = Counter()
                let opening = WorkThread {
                    while isOver.value == 0 {
                        let numbers = (0..<20).map { _ in open("/dev/null", O_RDONLY) }
                        for number in numbers { close(number) }
                    }
                }
                // ls opens the directory as 3; a wanted descriptor stands before.
                for round in 0..<40 {
                    var command = ProcessCommand("/bin/ls", ["/proc/self/fd"])
                    var expected = "0\n1\n2\n3\n"
                    let extra = open("/dev/null", O_RDONLY | O_CLOEXEC)
                    defer { close(extra) }
                    if round % 2 == 1 {
                        command.descriptors = [7: Descriptor(rawValue: extra)]
                        expected = "0\n1\n2\n3\n7\n"
                    }
                    let (text, _) = try output(of: command, on: server)
                    #expect(text == expected)
                }
                isOver.add()
                try opening.join()
            }
        }

        @Test func haveNoSignalIgnoredOrBlocked() throws {
            try withLoop { server in
                let before = signal(SIGPIPE, SIG_IGN)
                defer { signal(SIGPIPE, before) }
                let other = signal(SIGUSR1, SIG_IGN)
                defer { signal(SIGUSR1, other) }
                let command = ProcessCommand("grep", ["-E", "Sig(Blk|Ign)", "/proc/self/status"])
                let (text, _) = try output(of: command, on: server)
                let words = text.split { $0.isWhitespace }
                let (blocked, ignored) = (UInt64(words[1], radix: 16), UInt64(words[3], radix: 16))
                #expect(blocked == 0)
                // Signals 32 and 33 are glibc's own; its posix_spawn(3) ignores them in the child.
                #expect(ignored.map { $0 & ~(3 << 31) } == 0)
            }
        }

        @Test func haveTheEnvironmentAndDirectoryTheyAreGiven() throws {
            try withLoop { server in
                var command = ProcessCommand.shell("pwd; echo $OWN; echo ${HOME:-none}")
                command.environment = .only(["OWN": "a value"])
                command.workingDirectory = "/usr"
                var text = try output(of: command, on: server).0
                #expect(text == "/usr\na value\nnone\n")
                setenv("URING_TEST_KEPT", "kept", 1)
                defer { unsetenv("URING_TEST_KEPT") }
                command = .shell("echo $URING_TEST_KEPT $OWN $0 $1", ["zero", "one two"])
                command.environment = .inheritedWith(["OWN": "new"])
                text = try output(of: command, on: server).0
                #expect(text == "kept new zero one two\n")
            }
        }

        @Test func haveTheGroupTheyAreGiven() throws {
            try withLoop { server in
                for (grouping, isLeader) in [
                    (ProcessCommand.Grouping.parents, false), (.own, true), (.session, true),
                ] {
                    // Fields 5 and 6 of proc(5), stat: group and session.
                    var command = ProcessCommand.shell(
                        "read a b c d e f g < /proc/$$/stat; echo $$ $e $f"
                    )
                    command.grouping = grouping
                    let words = try output(of: command, on: server).0.split(separator: " ")
                    let numbers = words.map { $0.filter(\.isNumber) }
                    #expect((numbers[0] == numbers[1]) == isLeader)
                    #expect((numbers[0] == numbers[2]) == (grouping == .session))
                }
            }
        }

        @Test func takeAndKeepDescriptorsOfTheProgram() throws {
            try withLoop { server in
                let pipe = try RawPipe()
                var command = ProcessCommand.shell("echo out; echo err >&2")
                command.standardOutput = .descriptor(Descriptor(rawValue: pipe.writer))
                command.standardError = .null
                let (_, end) = try spawn(command, on: server)
                #expect(try end.status.take("its end").isSuccess)
                #expect(fcntl(pipe.writer, F_GETFD) >= 0)
                pipe.closeWriter()
                #expect(try pipe.readToEnd() == Array("out\n".utf8))
            }
        }

        @Test(arguments: [Rung.everything, .epoll])
        func areRefusedByName(rung: Rung) throws {
            try withLoop(rung) { server in
                func refusal(_ command: ProcessCommand) throws -> IOError? {
                    try server.run { loop in
                        #expect(throws: IOError.self) { try loop.spawn(command) }
                    }
                }
                let missing = try refusal(ProcessCommand("/no/such/program"))
                #expect(missing?.errno == .notFound)
                #expect("\(missing.map { "\($0)" } ?? "")".contains("'/no/such/program'"))
                #expect(try refusal(ProcessCommand("no-such-program-anywhere"))?.errno == .notFound)
                #expect(try refusal(ProcessCommand("/etc/passwd"))?.errno == .accessDenied)
                var elsewhere = ProcessCommand("/bin/true")
                elsewhere.workingDirectory = "/no/such/directory"
                let place = try refusal(elsewhere)
                #expect(place?.errno == .notFound)
                #expect("\(place.map { "\($0)" } ?? "")".contains("working directory"))
                var closed = ProcessCommand("/bin/true")
                closed.standardOutput = .descriptor(Descriptor(rawValue: 900_000))
                #expect(try refusal(closed)?.errno == .badDescriptor)
                var bad: [ProcessCommand] = [
                    ProcessCommand(""), ProcessCommand("/bin/true\0"),
                    ProcessCommand("/bin/true", ["a\0b"]),
                ]
                var variable = ProcessCommand("/bin/true")
                variable.environment = .only(["A=B": "C"])
                bad.append(variable)
                var number = ProcessCommand("/bin/true")
                number.descriptors = [2: .standardInput]
                bad.append(number)
                for command in bad {
                    #expect(try refusal(command)?.reason == .invalidArgument)
                }
            }
        }

        @Test(arguments: Rung.all) func endWhenTheyAreTold(rung: Rung) throws {
            try withLoop(rung) { server in
                let (child, end) = try spawn(ProcessCommand("sleep", ["1000"]), on: server)
                try server.run { _ in child.terminate() }
                #expect(try end.status.take("the end by SIGTERM") == .signalled(SIGTERM))
                try server.run { _ in
                    let error = #expect(throws: IOError.self) { try child.send(signal: SIGTERM) }
                    #expect(error?.reason == .closed)
                    child.terminate()
                    child.kill()
                }
            }
        }

        @Test(arguments: [Rung.everything, .epoll])
        func areKilledWhenTheyDoNotEnd(rung: Rung) throws {
            try withLoop(rung) { server in
                // Its group: the shell alone would leave the sleep behind.
                var command = ProcessCommand.shell(
                    "trap '' TERM; echo ready; while :; do sleep 1000; done"
                )
                command.grouping = .own
                command.standardOutput = .pipe
                let collected = Collected()
                let handed = Handed(value: collected)
                let (child, end) = try spawn(command, on: server) {
                    var handlers = ProcessHandlers()
                    handlers.output = handed.value
                    return handlers
                }
                try server.eventually("the trap is set") { _ in !collected.bytes.isEmpty }
                // The shorter time holds.
                try server.run { _ in child.terminate(grace: .seconds(3_600)) }
                try server.run { _ in child.terminate(grace: .milliseconds(50)) }
                try server.run { _ in child.terminate(grace: .seconds(3_600)) }
                #expect(try end.status.take("the end by SIGKILL") == .signalled(SIGKILL))
                try collected.lost.wait("the end of what it had started")
            }
        }

        /// The kernel keeps no status then (waitid(2)).
        @Test(arguments: [Rung.everything, .epoll])
        func endUnknownWhereTheProgramIgnoresThem(rung: Rung) throws {
            try withLoop(rung) { server in
                let before = signal(SIGCHLD, SIG_IGN)
                defer { signal(SIGCHLD, before) }
                let (_, end) = try spawn(.shell("exit 3"), on: server)
                #expect(try end.status.take("its end") == .unknown)
            }
        }

        @Test(arguments: [Rung.everything, .epoll])
        func areKilledWithTheirLoop(rung: Rung) throws {
            let processID = Drop<Int32>()
            let server = try LoopThread(rung) { _ in }
            processID.put(
                try server.run { try $0.spawn(ProcessCommand("sleep", ["1000"])).processID }
            )
            #expect(try server.stop() == 0)
            let number = try processID.take("the process's number")
            #expect(kill(number, 0) < 0 && errno == ESRCH, "neither alive nor a zombie")
        }

        @Test func leaveNothingAfterTenThousand() throws {
            try withLoop { server in
                let total = 10_000
                let (begun, ended, failed) = (Counter(), Counter(), Counter())
                let isOver = Gate()
                let spawnNext = Handed<(EventLoop) -> Void>(
                    value: Self.chain(total, begun, ended, failed, isOver)
                )
                try server.run { loop in
                    for _ in 0..<8 { spawnNext.value(loop) }
                }
                for _ in 0..<10 { if ended.value < total { try? isOver.wait("10,000 processes") } }
                #expect(ended.value == total)
                #expect(failed.value == 0)
                try server.eventually("nothing is left") { $0.metrics.descriptors == 0 }
                var info = siginfo_t()
                let left = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT)
                #expect(left < 0 && errno == ECHILD || info.si_signo == 0, "no zombie")
            }
        }

        /// One process after the other, until `total` have begun.
        private static func chain(
            _ total: Int,
            _ begun: Counter,
            _ ended: Counter,
            _ failed: Counter,
            _ isOver: Gate
        ) -> (EventLoop) -> Void {
            func next(_ loop: EventLoop) {
                guard begun.add() <= total else { return }
                do {
                    try loop.spawn(ProcessCommand("/bin/true")) { status in
                        if status != .exited(0) { failed.add() }
                        if ended.add() == total { isOver.open() }
                        next(loop)
                    }
                } catch {
                    failed.add()
                    if ended.add() == total { isOver.open() }
                }
            }
            return next
        }
    }
}
