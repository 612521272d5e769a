/// How large a ring is: entries to submit, completions, and provided buffers.
///
/// All are powers of two.
///
/// > Thread: Any thread.
package struct RingSizes: Hashable, Sendable {
    /// Entries of the submission queue.
    package var submissionEntries: Int
    /// Entries of the completion queue.
    ///
    /// Halving keeps at least four times those of the submission queue; a size that was asked for
    /// stands.
    package var completionEntries: Int
    /// Entries of the provided-buffer ring.
    package var providedEntries: Int

    /// What a ring has when no limit is in the way.
    package static let standard = RingSizes(
        submissionEntries: 256,
        completionEntries: 4096,
        providedEntries: 256
    )

    /// Names a size.
    package init(submissionEntries: Int, completionEntries: Int, providedEntries: Int) {
        self.submissionEntries = submissionEntries
        self.completionEntries = completionEntries
        self.providedEntries = providedEntries
    }

    /// The same in powers of two, as the kernel wants them, and no fewer completions than
    /// submissions.
    package var normalized: RingSizes {
        let submissions = Self.powerOfTwo(submissionEntries)
        return RingSizes(
            submissionEntries: submissions,
            completionEntries: max(submissions, Self.powerOfTwo(completionEntries)),
            providedEntries: max(Self.providedMin, Self.powerOfTwo(providedEntries))
        )
    }

    /// The memory that one ring is charged for, in bytes: three regions, each in whole pages.
    ///
    /// As an unprivileged user on Linux 6.18 this gave the number of rings that fit exactly, for
    /// six sizes tried.
    package func byteCount(pageBytes: Int) -> Int {
        pages(pageBytes).total &* pageBytes
    }

    /// The next smaller size, or nil when nothing that is left is larger than a page.
    ///
    /// Memory comes in whole pages, so halving a part that fits in one would cost entries and win
    /// nothing: the part with the most pages is halved, the submission queue where two are alike.
    package func halved(pageBytes: Int) -> RingSizes? {
        let pages = pages(pageBytes)
        guard pages.total > 3 else { return nil }
        var smaller = self
        let canHalveCompletions = completionEntries / 2 >= Self.ratioMin * submissionEntries
        if pages.provided > max(pages.entries, pages.queues) {
            smaller.providedEntries /= 2
        } else if pages.queues > pages.entries, canHalveCompletions {
            smaller.completionEntries /= 2
        } else {
            smaller.submissionEntries /= 2
        }
        return smaller
    }

    /// The largest size, from this one down, that `budget` has room for; the smallest when none
    /// has.
    package func fitting(_ budget: RingMemoryBudget) -> RingSizes {
        guard let share = budget.shareBytes else { return self }
        var sizes = self
        while sizes.byteCount(pageBytes: budget.pageBytes) > share,
            let smaller = sizes.halved(pageBytes: budget.pageBytes)
        {
            sizes = smaller
        }
        return sizes
    }

    /// A multishot operation ends when the completion queue overflows, so that one must be well
    /// above the other.
    private static let ratioMin = 4
    /// What the self-tests need; fewer would save no memory.
    private static let providedMin = 16
    private static let entryBytes = 64
    private static let completionBytes = 16
    private static let arrayBytes = 4
    private static let providedBytes = 16
    /// `struct io_rings` takes 64 bytes to five cache lines, by the kernel's configuration.
    private static let headerBytes = 320

    private func pages(_ pageBytes: Int) -> (entries: Int, queues: Int, provided: Int, total: Int) {
        let entries = Self.pages(of: submissionEntries * Self.entryBytes, pageBytes)
        let queueBytes =
            Self.headerBytes + completionEntries * Self.completionBytes
            + submissionEntries * Self.arrayBytes
        let queues = Self.pages(of: queueBytes, pageBytes)
        let provided = Self.pages(of: providedEntries * Self.providedBytes, pageBytes)
        return (entries, queues, provided, entries + queues + provided)
    }

    /// Rounded up; 32,768 at most, which is what the kernel takes of each but completions (twice
    /// that).
    private static func powerOfTwo(_ count: Int) -> Int {
        var power = 1
        while power < min(count, 32_768) { power *= 2 }
        return power
    }

    private static func pages(of byteCount: Int, _ pageBytes: Int) -> Int {
        max(1, (byteCount + pageBytes - 1) / pageBytes)
    }
}

extension RingSizes: CustomStringConvertible {
    /// `256 SQ, 4096 CQ, 256 provided`.
    package var description: String {
        "\(submissionEntries) SQ, \(completionEntries) CQ, \(providedEntries) provided"
    }
}
