import Testing
import UringTesting

@testable import UringEngine

/// Pipes, and descriptors of others.
extension FaultScenario {
    static let pipes = [
        FaultScenario("pipes") { stage in
            for seed in 0..<3 {
                let pattern = Pattern(seed: seed)
                let reader = CheckingHandler(pattern, expecting: 60_000)
                let writer = SendingHandler(pattern, totalBytes: 60_000) { $0.close() }
                try stage.pipe(reader, writer)
                // Whole, unless either end says that it is not.
                let (received, isClean) = try stage.server.run { _ in
                    (reader.receivedBytes, reader.loss == nil && writer.loss == nil)
                }
                if isClean, received < 60_000 { throw FalseEnd(got: received, wanted: 60_000) }
                if !isClean { throw EarlyEnd(wanted: 60_000, got: received) }
            }
        },
        FaultScenario("pipes that are not read for a while") { stage in
            let pattern = Pattern(seed: 9)
            let reader = CheckingHandler(pattern, expecting: 200_000) { transport in
                transport.pauseReading()
                transport.loop.callLater(.milliseconds(2)) { transport.resumeReading() }
            }
            let writer = SendingHandler(pattern, totalBytes: 200_000) { $0.close() }
            try stage.pipe(reader, writer)
        },
        FaultScenario("adopted pipes") { stage in
            for seed in 0..<3 {
                let pipe = try RawPipe()
                let pattern = Pattern(seed: seed)
                let reader = CheckingHandler(pattern, expecting: 5_000)
                let descriptor = Descriptor(rawValue: pipe.reader)
                try stage.server.run { loop in
                    _ = try loop.adoptStream(descriptor, .shared, handler: reader)
                }
                stage.handlers.append(reader)
                try pipe.write(pattern.bytes(count: 5_000))
                pipe.closeWriter()
                try reader.lost.wait("the end of an adopted pipe")
                if let loss = try stage.server.run({ _ in reader.loss }) { throw loss }
            }
        },
        FaultScenario("a reader that comes and goes") { stage in
            let pipe = try RawPipe()
            let descriptor = Descriptor(rawValue: pipe.reader)
            try pipe.write([1])
            for _ in 0..<4 {
                let count = Counter()
                defer { _ = try? stage.server.run { $0.removeReader(descriptor) } }
                try stage.server.run { loop in
                    try loop.addReader(descriptor) { count.add() }
                }
                try stage.server.eventually("a call, or an error") { loop in
                    count.value > 1 || loop.interest(in: .readable, of: descriptor) == nil
                }
            }
        },
    ]
}

extension FaultStage {
    /// Runs a pipe's two ends to their end.
    fileprivate func pipe(_ reader: TestHandler, _ writer: TestHandler) throws {
        try server.run { loop in _ = try loop.openPipe(reader: reader, writer: writer) }
        handlers.append(reader)
        handlers.append(writer)
        try reader.lost.wait("the reader's end")
        try writer.lost.wait("the writer's end")
    }
}
