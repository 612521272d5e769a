import Testing
import UringTesting

@testable import UringEngine

extension Integration {
    /// A file beside an array: whatever is done, both hold the same.
    @Suite struct FileModelTests {
        @Test(arguments: Rung.all, [1, 2] as [UInt64])
        func holdsWhatAnArrayWouldHold(rung: Rung, seed: UInt64) throws {
            let seed = seed &* 7_919 &+ 20_261
            var random = SimulationRandom(seed: seed)
            try withFiles(rung) { files in
                var model: [UInt8] = []
                let file = try files.make()
                for step in 0..<200 {
                    let what = try self.step(&random, file, &model, files)
                    if let what { Issue.record("seed \(seed), step \(step): \(what)") }
                }
                #expect(try files.attributes(file).byteCount == UInt64(model.count), "seed \(seed)")
                try files.close(file)
            }
        }

        private func step(
            _ random: inout SimulationRandom,
            _ file: OpenFile,
            _ model: inout [UInt8],
            _ files: FileRun
        ) throws -> String? {
            let offset = random.below(100_000)
            let count = random.between(1, random.pick([10, 5_000, 200_000]))
            switch random.below(10) {
            case 0..<5:
                let wanted = offset < model.count ? Array(model[offset...].prefix(count)) : nil
                let found = try files.read(file, at: UInt64(offset), count)
                return found == wanted ? nil : "read \(count) at \(offset)"
            case 5..<9:
                let bytes = Pattern(seed: random.below(1_000)).bytes(at: 0, count: count)
                try files.write(file, bytes, at: UInt64(offset))
                grow(&model, to: offset + count)
                model.replaceSubrange(offset..<(offset + count), with: bytes)
            default:
                try files.answer("a truncation") { _, done in
                    try file.truncate(to: UInt64(offset), completion: done)
                } as Void
                grow(&model, to: offset)
                model.removeLast(model.count - offset)
            }
            return nil
        }

        private func grow(_ model: inout [UInt8], to count: Int) {
            guard model.count < count else { return }
            model += [UInt8](repeating: 0, count: count - model.count)
        }
    }
}
