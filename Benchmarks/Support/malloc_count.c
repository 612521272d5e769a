// Counts calls of the allocator: LD_PRELOAD=malloc_count.so MALLOC_COUNT_FILE=path server ...
//
// The counter lives in the named file, mapped shared: 8 bytes in native order, current at any
// moment and after the exit. Whoever wants to know reads the file; the server isn't disturbed by
// a signal or a request that might allocate itself. Two reads with traffic between them give the
// allocations an echoed message costs.
//
// Processes that the server starts inherit both variables and count into the same file; a fresh
// file for each run is the caller's business.
//
// For glibc: the wrappers end in its __libc_ functions, as looking up the next `malloc` with
// dlsym would itself call malloc.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *memory, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);

// Counts what is allocated before the constructor ran, or when no file was named.
static uint64_t early_counter;
static uint64_t *counter = &early_counter;

static void count(void) { __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED); }

__attribute__((constructor)) static void open_counter(void) {
    const char *path = getenv("MALLOC_COUNT_FILE");
    int file = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (file < 0) return;
    // No O_TRUNC: it would pull the mapping from under a parent that counts into the same file.
    void *mapped = MAP_FAILED;
    if (ftruncate(file, sizeof *counter) == 0)
        mapped = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (mapped == MAP_FAILED) return;
    counter = mapped;
    __atomic_fetch_add(counter, early_counter, __ATOMIC_RELAXED);
}

void *malloc(size_t bytes) {
    count();
    return __libc_malloc(bytes);
}

void *calloc(size_t number, size_t bytes) {
    count();
    return __libc_calloc(number, bytes);
}

void *realloc(void *memory, size_t bytes) {
    count();
    return __libc_realloc(memory, bytes);
}

void *reallocarray(void *memory, size_t number, size_t bytes) {
    size_t total;
    if (__builtin_mul_overflow(number, bytes, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(memory, total);
}

void *memalign(size_t alignment, size_t bytes) {
    count();
    return __libc_memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }

int posix_memalign(void **memory, size_t alignment, size_t bytes) {
    if (alignment % sizeof(void *) || alignment & (alignment - 1) || alignment == 0)
        return EINVAL;
    // The result is the error; errno has to stay as it was.
    int error = errno;
    void *allocated = memalign(alignment, bytes);
    errno = error;
    if (!allocated) return ENOMEM;
    *memory = allocated;
    return 0;
}
