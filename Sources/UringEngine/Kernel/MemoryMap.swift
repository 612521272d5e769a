internal import CUring
internal import Glibc

/// Anonymous pages of this process, not inherited by a child.
///
/// > Ownership: The pages are unmapped with the value.
@safe package struct MemoryMap: ~Copyable {
    // Safety: mapped in init, unmapped in deinit; whoever keeps `base` longer is a bug of this
    // module.
    /// The first byte, aligned to a page.
    package let base: UnsafeMutableRawPointer
    /// The length in bytes, whole pages.
    package let byteCount: Int

    /// Maps `byteCount` bytes, rounded up to whole pages, zeroed on first touch.
    ///
    /// - Throws: ENOMEM as an error of `.mapMemory` that names the size.
    package init(byteCount: Int) throws(IOError) {
        let rounded = Self.roundedToPages(byteCount)
        let base = unsafe mmap(
            nil,
            rounded,
            PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS,
            -1,
            0
        )
        guard let base = unsafe base, unsafe base != MAP_FAILED else {
            throw IOError(.mapMemory, errno: .current, detail: "\(rounded) bytes")
        }
        unsafe self.base = base
        self.byteCount = rounded
        // Both are advice. DONTFORK keeps a child's copy-on-write away from pages that the kernel
        // writes.
        _ = unsafe madvise(base, rounded, MADV_DONTFORK)
        _ = unsafe madvise(base, rounded, MADV_HUGEPAGE)
    }

    deinit {
        unsafe munmap(base, byteCount)
    }

    /// The size of a page, in bytes.
    package static var pageBytes: Int { sysconf(Int32(_SC_PAGESIZE)) }

    /// `byteCount` rounded up to whole pages, at least one.
    package static func roundedToPages(_ byteCount: Int) -> Int {
        let page = pageBytes
        return max(page, (byteCount + page - 1) / page * page)
    }

    /// Locks the pages into memory (mlock(2)).
    ///
    /// - Returns: nil, or the reason: ENOMEM above RLIMIT_MEMLOCK, EPERM with a limit of zero.
    package borrowing func lock() -> Errno? {
        unsafe mlock(base, byteCount) == 0 ? nil : .current
    }
}
