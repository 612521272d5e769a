// Preloaded under valgrind: waits for a ring by ppoll(2) before it enters.
//
// Valgrind runs one thread at a time. Version 3.19 does not know that io_uring_enter(2) may block and
// lets no other thread run meanwhile: a server whose loop waits for another of its threads hangs. It
// does know ppoll(2). Needs URINGCORE_FEATURES_OFF=registered_ring, since a registered ring's number
// cannot be polled.
//
// A call of the server is one call of the real function, with its cost; what the shim adds runs in its own
// code, system calls too, so that the count can leave it out.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SLICE_MILLISECONDS = 10 };

typedef int enter_function(unsigned, unsigned, unsigned, unsigned, sigset_t *, size_t);

static inline long system_call(long number, long a, long b, long c, long d, long e, long f) {
#ifdef __x86_64__
    register long fourth __asm__("r10") = d, fifth __asm__("r8") = e, sixth __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "rcx", "r11", "memory");
    return result;
#else
    long result = syscall(number, a, b, c, d, e, f);
    return result < 0 ? -errno : result;
#endif
}

static int timeout_milliseconds(const struct io_uring_getevents_arg *argument) {
    if (argument == NULL || argument->ts == 0) return -1;
    const struct __kernel_timespec *time = (const void *)(uintptr_t)argument->ts;
    long long nanoseconds = time->tv_sec * 1000000000LL + time->tv_nsec;
    long long milliseconds = (nanoseconds + 999999) / 1000000;
    return milliseconds > INT32_MAX ? INT32_MAX : (int)milliseconds;
}

int io_uring_enter2(unsigned ring, unsigned submit, unsigned wait, unsigned flags, sigset_t *argument,
                    size_t size) {
    static enter_function *enter;
    if (enter == NULL) enter = (enter_function *)dlsym(RTLD_NEXT, "io_uring_enter2");
    if (wait == 0 || !(flags & IORING_ENTER_GETEVENTS))
        return enter(ring, submit, wait, flags, argument, size);
    int submitted = 0;
    if (submit > 0) {
        submitted = (int)system_call(__NR_io_uring_enter, ring, submit, 0, flags, (long)argument,
                                     (long)size);
        if (submitted < 0) return submitted;
    }
    // In slices: a DEFER_TASKRUN ring is not readable before its owner has entered.
    struct pollfd polled = {.fd = (int)ring, .events = POLLIN};
    int milliseconds = flags & IORING_ENTER_EXT_ARG
                           ? timeout_milliseconds((const struct io_uring_getevents_arg *)argument)
                           : -1;
    bool is_last = milliseconds >= 0 && milliseconds <= SLICE_MILLISECONDS;
    struct timespec slice = {
        .tv_nsec = (is_last ? milliseconds : SLICE_MILLISECONDS) * 1000000L,
    };
    int ready = (int)system_call(__NR_ppoll, (long)&polled, 1, (long)&slice, 0, 0, 0);
    if (ready < 0) return submitted > 0 ? submitted : ready;
    if (ready == 0 && is_last) return submitted > 0 ? submitted : -ETIME;
    int result = enter(ring, 0, 0, flags, argument, size);
    return result < 0 ? result : submitted;
}
