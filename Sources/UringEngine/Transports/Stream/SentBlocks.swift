internal import DequeModule

/// Blocks that were sent without a copy, and that the kernel still reads: until the peer has
/// acknowledged them, or the connection is gone.
///
/// > Thread: On-loop only.
/// > Ownership: Each block stays until its send's terminal completion.
final class SentBlocks {
    private struct Entry: ~Copyable {
        let token: OperationToken
        let block: WriteBlock
    }

    private var entries = UniqueDeque<Entry>()

    /// The kernel reads none.
    var isEmpty: Bool { entries.isEmpty }

    /// Keeps the block of a send that has more to report.
    func keep(_ block: consuming WriteBlock, of token: OperationToken) {
        entries.append(Entry(token: token, block: block))
    }

    /// Ends the block of a send whose terminal completion came.
    ///
    /// - Returns: what it pinned, in bytes; nil when the send has no block here.
    func end(_ token: OperationToken) -> Int? {
        // The kernel reports them in their order as a rule: the first is the one.
        for position in 0..<entries.count where entries[position].token == token {
            return entries.remove(at: position).block.pinnedBytes
        }
        return nil
    }
}
