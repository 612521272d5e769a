#define _GNU_SOURCE 1
#include "CUringFiles.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>

static long checked(long result) { return result < 0 ? -errno : result; }

int cu_file_open(const char *path, int flags, uint32_t mode) {
    // A FIFO whose other end nobody has would hold the thread up for ever. io_uring asks in the same way.
    int descriptor = open(path, flags | O_NONBLOCK | O_CLOEXEC, (mode_t)mode);
    // Another process gives up its lease of the file, for which the kernel sets it a time.
    if (descriptor < 0 && errno == EWOULDBLOCK) descriptor = open(path, flags | O_CLOEXEC, (mode_t)mode);
    if (descriptor < 0) return -errno;
    int status = fcntl(descriptor, F_GETFL);
    if (status >= 0 && status & O_NONBLOCK) fcntl(descriptor, F_SETFL, status & ~O_NONBLOCK);
    return descriptor;
}

long cu_file_read(int descriptor, void *bytes, size_t length, uint64_t offset) {
    long result = checked(pread(descriptor, bytes, length, (off_t)offset));
    return result == -ESPIPE ? checked(read(descriptor, bytes, length)) : result;
}

long cu_file_write(int descriptor, const void *bytes, size_t length, uint64_t offset) {
    long result = checked(pwrite(descriptor, bytes, length, (off_t)offset));
    return result == -ESPIPE ? checked(write(descriptor, bytes, length)) : result;
}

int cu_file_sync(int descriptor, bool data_only) {
    return (int)checked(data_only ? fdatasync(descriptor) : fsync(descriptor));
}

int cu_file_status_of(int descriptor, const char *path, int flags, struct cu_file_status *status) {
    return (int)checked(
        syscall(SYS_statx, descriptor, path, flags, CU_STATUS_BASIC | CU_STATUS_DIRECT, status));
}

int cu_file_rename(const char *from, const char *to, uint32_t flags) {
    return (int)checked(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags));
}

int cu_file_remove(const char *path, bool directory) {
    return (int)checked(directory ? rmdir(path) : unlink(path));
}

int cu_file_make_directory(const char *path, uint32_t mode) { return (int)checked(mkdir(path, (mode_t)mode)); }

int cu_file_allocate(int descriptor, int mode, uint64_t offset, uint64_t length) {
    return (int)checked(fallocate(descriptor, mode, (off_t)offset, (off_t)length));
}

int cu_file_truncate(int descriptor, uint64_t length) { return (int)checked(ftruncate(descriptor, (off_t)length)); }

long cu_directory_read(int descriptor, void *bytes, size_t length) {
    return checked(syscall(SYS_getdents64, descriptor, bytes, length));
}

int cu_register_memory(struct io_uring *ring, void *base, size_t length) {
    struct iovec run = {.iov_base = base, .iov_len = length};
    return io_uring_register_buffers(ring, &run, 1);
}

int cu_make_descriptor_table(struct io_uring *ring, uint32_t places) {
    return io_uring_register_files_sparse(ring, places);
}

int cu_set_registered(struct io_uring *ring, uint32_t place, int descriptor) {
    return io_uring_register_files_update(ring, place, &descriptor, 1);
}
