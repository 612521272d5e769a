// Files: submission entries, the same as calls that block, and what statx(2) and getdents64(2) fill in.
#ifndef CURING_FILES_H
#define CURING_FILES_H

#include "CUring.h"

#include <fcntl.h>

// As struct statx of Linux 6.1 (include/uapi/linux/stat.h); libc's own ends before the alignments of
// direct I/O.
struct cu_file_time {
    int64_t seconds;
    uint32_t nanoseconds;
    int32_t reserved;
};
struct cu_file_status {
    uint32_t mask, block_bytes;
    uint64_t attributes;
    uint32_t links, user, group;
    uint16_t mode, reserved;
    uint64_t inode, size, blocks, attributes_mask;
    struct cu_file_time accessed, created, changed, modified;
    uint32_t own_major, own_minor, device_major, device_minor;
    uint64_t mount;
    uint32_t direct_memory_alignment, direct_offset_alignment;
    uint64_t rest[12];
};
_Static_assert(sizeof(struct cu_file_status) == 256, "statx(2) writes 256 bytes");

enum {
    CU_OP_FTRUNCATE = 55,              // Linux 6.9
    CU_STATUS_BASIC = 0x7ff,           // STATX_BASIC_STATS
    CU_STATUS_DIRECT = 0x2000,         // STATX_DIOALIGN, Linux 6.1
    CU_OPEN_DIRECT = 040000,           // O_DIRECT, which libc shows to GNU programs alone
    CU_AT_EMPTY_PATH = 0x1000,
    CU_AT_REMOVE_DIRECTORY = 0x200,
    CU_AT_NO_FOLLOW = 0x100,
    CU_RENAME_NO_REPLACE = 1,
    CU_ALLOCATE_KEEP_SIZE = 1,
};
#if defined(__aarch64__)
#define CU_OPEN_DIRECT_HERE 0200000
#else
#define CU_OPEN_DIRECT_HERE CU_OPEN_DIRECT
#endif
static inline int cu_open_direct_flag(void) { return CU_OPEN_DIRECT_HERE; }

// --- submission entries -----------------------------------------------------------------------------------------------

/// The descriptor stands in the ring's table, at this place.
static inline void cu_use_registered(struct io_uring_sqe *entry, int place) {
    entry->fd = place;
    entry->flags |= 1U << IOSQE_FIXED_FILE_BIT;
}

static inline void cu_prepare_open(struct io_uring_sqe *entry, const char *path, int flags, uint32_t mode,
                                   uint64_t user_data) {
    cu_prepare(entry, IORING_OP_OPENAT, AT_FDCWD, user_data);
    entry->addr = (uint64_t)(uintptr_t)path;
    entry->len = mode;
    entry->open_flags = (uint32_t)flags | O_CLOEXEC;
}

/// A read or a write at an offset; `fixed` when the memory was registered.
static inline void cu_prepare_transfer(struct io_uring_sqe *entry, int descriptor, bool is_write, bool fixed,
                                       const void *bytes, uint32_t length, uint64_t offset, uint64_t user_data) {
    uint8_t plain = is_write ? IORING_OP_WRITE : IORING_OP_READ;
    uint8_t registered = is_write ? IORING_OP_WRITE_FIXED : IORING_OP_READ_FIXED;
    cu_prepare(entry, fixed ? registered : plain, descriptor, user_data);
    entry->addr = (uint64_t)(uintptr_t)bytes;
    entry->len = length;
    entry->off = offset;
}

static inline void cu_prepare_sync(struct io_uring_sqe *entry, int descriptor, bool data_only, uint64_t user_data) {
    cu_prepare(entry, IORING_OP_FSYNC, descriptor, user_data);
    entry->fsync_flags = data_only ? IORING_FSYNC_DATASYNC : 0;
}

static inline void cu_prepare_status(struct io_uring_sqe *entry, int descriptor, const char *path, int flags,
                                     struct cu_file_status *status, uint64_t user_data) {
    cu_prepare(entry, IORING_OP_STATX, descriptor, user_data);
    entry->addr = (uint64_t)(uintptr_t)path;
    entry->len = CU_STATUS_BASIC | CU_STATUS_DIRECT;
    entry->off = (uint64_t)(uintptr_t)status;
    entry->statx_flags = (uint32_t)flags;
}

static inline void cu_prepare_rename(struct io_uring_sqe *entry, const char *from, const char *to, uint32_t flags,
                                     uint64_t user_data) {
    cu_prepare(entry, IORING_OP_RENAMEAT, AT_FDCWD, user_data);
    entry->addr = (uint64_t)(uintptr_t)from;
    entry->len = (uint32_t)AT_FDCWD;
    entry->off = (uint64_t)(uintptr_t)to;
    entry->rename_flags = flags;
}

static inline void cu_prepare_remove(struct io_uring_sqe *entry, const char *path, bool directory, uint64_t user_data) {
    cu_prepare(entry, IORING_OP_UNLINKAT, AT_FDCWD, user_data);
    entry->addr = (uint64_t)(uintptr_t)path;
    entry->unlink_flags = directory ? CU_AT_REMOVE_DIRECTORY : 0;
}

static inline void cu_prepare_make_directory(struct io_uring_sqe *entry, const char *path, uint32_t mode,
                                             uint64_t user_data) {
    cu_prepare(entry, IORING_OP_MKDIRAT, AT_FDCWD, user_data);
    entry->addr = (uint64_t)(uintptr_t)path;
    entry->len = mode;
}

static inline void cu_prepare_allocate(struct io_uring_sqe *entry, int descriptor, int mode, uint64_t offset,
                                       uint64_t length, uint64_t user_data) {
    cu_prepare(entry, IORING_OP_FALLOCATE, descriptor, user_data);
    entry->off = offset;
    entry->addr = length;
    entry->len = (uint32_t)mode;
}

static inline void cu_prepare_truncate(struct io_uring_sqe *entry, int descriptor, uint64_t length, uint64_t user_data) {
    cu_prepare(entry, CU_OP_FTRUNCATE, descriptor, user_data);
    entry->off = length;
}

static inline void cu_prepare_close(struct io_uring_sqe *entry, int descriptor, uint64_t user_data) {
    cu_prepare(entry, IORING_OP_CLOSE, descriptor, user_data);
}

// --- the same as calls that block: a result of zero or more, or -errno ------------------------------------------------

int cu_file_open(const char *path, int flags, uint32_t mode);
/// Also of what has no offsets, such as a pipe: there the offset is nothing.
long cu_file_read(int descriptor, void *bytes, size_t length, uint64_t offset);
long cu_file_write(int descriptor, const void *bytes, size_t length, uint64_t offset);
int cu_file_sync(int descriptor, bool data_only);
int cu_file_status_of(int descriptor, const char *path, int flags, struct cu_file_status *status);
int cu_file_rename(const char *from, const char *to, uint32_t flags);
int cu_file_remove(const char *path, bool directory);
int cu_file_make_directory(const char *path, uint32_t mode);
int cu_file_allocate(int descriptor, int mode, uint64_t offset, uint64_t length);
int cu_file_truncate(int descriptor, uint64_t length);
/// Entries of a directory as getdents64(2) gives them.
long cu_directory_read(int descriptor, void *bytes, size_t length);

// --- what the ring keeps ----------------------------------------------------------------------------------------------

int cu_register_memory(struct io_uring *ring, void *base, size_t length);
int cu_make_descriptor_table(struct io_uring *ring, uint32_t places);
int cu_set_registered(struct io_uring *ring, uint32_t place, int descriptor);

#endif
