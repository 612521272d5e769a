// Preloaded under valgrind: waits for a ring by poll(2) before it enters.
//
// Valgrind runs one thread at a time. Version 3.19 does not know that io_uring_enter(2) may block and
// lets no other thread run meanwhile: a server whose loop waits for another of its threads hangs. It
// does know poll(2). Needs URINGCORE_FEATURES_OFF=registered_ring, since a registered ring's number
// cannot be polled.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

enum { SLICE_MILLISECONDS = 10 };

typedef int enter_function(unsigned, unsigned, unsigned, unsigned, sigset_t *, size_t);

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
        submitted = enter(ring, submit, 0, flags, argument, size);
        if (submitted < 0) return submitted;
    }
    // In slices: a DEFER_TASKRUN ring is not readable before its owner has entered.
    struct pollfd polled = {.fd = (int)ring, .events = POLLIN};
    int milliseconds = flags & IORING_ENTER_EXT_ARG
                           ? timeout_milliseconds((const struct io_uring_getevents_arg *)argument)
                           : -1;
    bool is_last = milliseconds >= 0 && milliseconds <= SLICE_MILLISECONDS;
    int ready = poll(&polled, 1, is_last ? milliseconds : SLICE_MILLISECONDS);
    if (ready < 0) return submitted > 0 ? submitted : -errno;
    if (ready == 0 && is_last) return submitted > 0 ? submitted : -ETIME;
    int result = enter(ring, 0, 0, flags, argument, size);
    return result < 0 ? result : submitted;
}
