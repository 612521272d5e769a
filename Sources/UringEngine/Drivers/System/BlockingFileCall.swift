internal import CUring
internal import Glibc

/// Carries requests out by system calls that block.
///
/// > Thread: Any thread but a loop's.
// Safety: what a request points to is the caller's and stays valid until the result is handed over.
package enum BlockingFileCall {
    /// Carries a request out.
    ///
    /// - Returns: as a completion has it: zero or more, or a negative errno.
    package static func result(of request: FileRequest) -> Int32 {
        switch request {
        case .open(let path, let flags, let permissions):
            unsafe cu_file_open(path, flags, permissions)
        case .status(let query):
            unsafe cu_file_status_of(
                query.descriptor?.rawValue ?? AT_FDCWD,
                query.path,
                query.flags,
                query.status
            )
        case .rename(let from, let to, let replaces):
            unsafe cu_file_rename(from, to, replaces ? 0 : UInt32(CU_RENAME_NO_REPLACE))
        case .remove(let path, let isDirectory): unsafe cu_file_remove(path, isDirectory)
        case .makeDirectory(let path, let permissions):
            unsafe cu_file_make_directory(path, permissions)
        case .list(let path, let listing): unsafe list(path, into: listing)
        case .read, .write, .sync, .allocate, .truncate, .close: resultOnFile(request)
        }
    }

    private static func resultOnFile(_ request: FileRequest) -> Int32 {
        switch request {
        case .read(let target, let memory, let offset):
            Int32(
                clamping: unsafe cu_file_read(
                    target.descriptor.rawValue,
                    memory.baseAddress,
                    memory.count,
                    offset
                )
            )
        case .write(let target, let bytes, let offset):
            Int32(
                clamping: unsafe cu_file_write(
                    target.descriptor.rawValue,
                    bytes.baseAddress,
                    bytes.count,
                    offset
                )
            )
        case .sync(let target, let isDataOnly):
            cu_file_sync(target.descriptor.rawValue, isDataOnly)
        case .allocate(let target, let offset, let byteCount, let keepsSize):
            cu_file_allocate(
                target.descriptor.rawValue,
                keepsSize ? Int32(CU_ALLOCATE_KEEP_SIZE) : 0,
                offset,
                byteCount
            )
        case .truncate(let target, let byteCount):
            cu_file_truncate(target.descriptor.rawValue, byteCount)
        case .close(let descriptor): cu_close(descriptor.rawValue)
        case .open, .status, .rename, .remove, .makeDirectory, .list:
            preconditionFailure("what names no open file is done before")
        }
    }

    /// How much of a directory one getdents64(2) may give, in bytes.
    private static let recordsBytes = 32_768

    private static func list(_ path: UnsafePointer<CChar>, into listing: DirectoryListing) -> Int32
    {
        listing.removeAll()
        let directory = unsafe cu_file_open(path, O_RDONLY | O_DIRECTORY, 0)
        guard directory >= 0 else { return directory }
        defer { _ = cu_close(directory) }
        // Safety: the memory ends with this call.
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: recordsBytes, alignment: 8)
        defer { unsafe memory.deallocate() }
        while true {
            let count = unsafe cu_directory_read(directory, memory.baseAddress, recordsBytes)
            guard count > 0 else { return Int32(clamping: count) }
            let records = unsafe UnsafeRawBufferPointer(rebasing: memory[..<count])
            unsafe listing.append(records: records.bytes)
        }
    }
}
