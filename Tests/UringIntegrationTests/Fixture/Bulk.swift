import UringEngine

/// So many bytes where a pool buffer has 16 KiB; a small part of them in a tiny build, where it has 64.
///
/// Both are many times what the pool holds and what a connection may park.
func bulk(_ byteCount: Int) -> Int {
    byteCount / (StandardSizes.areTiny ? 32 : 1)
}
