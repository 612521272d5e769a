#define _GNU_SOURCE 1
#include "CUring.h"

#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

__thread void *cu_current_loop_storage __attribute__((tls_model("initial-exec"))) = NULL;
__thread const uint64_t *cu_simulated_clock_storage __attribute__((tls_model("initial-exec"))) = NULL;

// strerrorname_np(3), glibc 2.32.
const char *cu_errno_name(int number) { return strerrorname_np(number); }

// The entry `NAME=value` at this position of environ(7), or NULL behind the last.
const char *cu_environment_entry(long position) { return environ == NULL ? NULL : environ[position]; }

int cu_event_descriptor(void) {
    int descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return descriptor < 0 ? -errno : descriptor;
}

// close(2) is never repeated: on Linux the descriptor is gone even when it says EINTR.
int cu_close(int descriptor) { return close(descriptor) < 0 ? -errno : 0; }

// --- epoll -----------------------------------------------------------------------------------------------------------

int cu_epoll_create(void) {
    int set = epoll_create1(EPOLL_CLOEXEC);
    return set < 0 ? -errno : set;
}

static int control(int set, int operation, int descriptor, uint32_t events, uint64_t word) {
    struct epoll_event event = {.events = events | EPOLLET, .data.u64 = word};
    return epoll_ctl(set, operation, descriptor, &event) < 0 ? -errno : 0;
}

int cu_epoll_add(int set, int descriptor, uint32_t events, uint64_t word) {
    return control(set, EPOLL_CTL_ADD, descriptor, events, word);
}

int cu_epoll_change(int set, int descriptor, uint32_t events, uint64_t word) {
    return control(set, EPOLL_CTL_MOD, descriptor, events, word);
}

int cu_epoll_remove(int set, int descriptor) {
    return control(set, EPOLL_CTL_DEL, descriptor, 0, 0);
}

int cu_epoll_wait(int set, void *events, int count, int milliseconds) {
    int result = epoll_wait(set, events, count, milliseconds);
    return result < 0 ? -errno : result;
}

int cu_epoll_wait_within(int set, void *events, int count, int64_t nanoseconds) {
    struct timespec timeout = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
    long result = syscall(SYS_epoll_pwait2, set, events, count, &timeout, NULL, 0);
    return result < 0 ? -errno : (int)result;
}

long cu_send_message(int descriptor, const struct cu_message *message) {
    ssize_t result = sendmsg(descriptor, &message->header, MSG_NOSIGNAL | MSG_DONTWAIT);
    return result < 0 ? -errno : result;
}

int cu_accept(int listener) {
    int descriptor = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return descriptor < 0 ? -errno : descriptor;
}

int cu_connect(int descriptor, const struct cu_address *address) {
    const struct sockaddr *name = (const struct sockaddr *)&address->storage;
    return connect(descriptor, name, address->length) < 0 ? -errno : 0;
}

int cu_connect_result(int descriptor) {
    int failure = 0;
    socklen_t length = sizeof failure;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &length) < 0) return -errno;
    return -failure;
}

int cu_poll_now(int descriptor, uint32_t events) {
    struct pollfd look = {.fd = descriptor, .events = (short)events};
    if (poll(&look, 1, 0) < 0) return -errno;
    return look.revents & POLLNVAL ? -EBADF : look.revents;
}

// Names one file and no other, whatever becomes of the path: no link is followed, and nothing can be
// read through it (open(2), O_PATH).
int cu_hold_file(const char *path) {
    int descriptor = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return descriptor < 0 ? -errno : descriptor;
}

// Ring memory of a thread with CAP_IPC_LOCK is not counted against RLIMIT_MEMLOCK
// (capabilities(7)).
bool cu_holds_ipc_lock(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
    if (syscall(SYS_capget, &header, data) < 0) return false;
    return (data[CAP_IPC_LOCK / 32].effective >> (CAP_IPC_LOCK % 32)) & 1;
}

// tcpi_bytes_acked (Linux 4.1), at its fixed offset in struct tcp_info: glibc's own structure ends
// before it.
long long cu_acknowledged_bytes(int descriptor) {
    unsigned char info[256] = {0};
    socklen_t length = sizeof info;
    enum { bytes_acked_offset = 120 };
    if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, info, &length) < 0) return -errno;
    if (length < bytes_acked_offset + 8) return -EOPNOTSUPP;
    unsigned long long acknowledged;
    memcpy(&acknowledged, info + bytes_acked_offset, sizeof acknowledged);
    return (long long)acknowledged;
}

int cu_unsent_bytes(int descriptor) {
    int unsent = 0;
    return ioctl(descriptor, SIOCOUTQ, &unsent) < 0 ? -errno : unsent;
}

// SO_INCOMING_CPU (socket(7), Linux 3.19).
int cu_incoming_cpu(int descriptor) {
    int cpu = -1;
    socklen_t length = sizeof cpu;
    return getsockopt(descriptor, SOL_SOCKET, SO_INCOMING_CPU, &cpu, &length) < 0 ? -errno : cpu;
}

// A soft limit of getrlimit(2); -1 when there is none.
static long long soft_limit(int resource) {
    struct rlimit limit;
    if (getrlimit(resource, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY) return -1;
    return limit.rlim_cur > INT64_MAX ? INT64_MAX : (long long)limit.rlim_cur;
}

long long cu_locked_memory_limit(void) { return soft_limit(RLIMIT_MEMLOCK); }
long long cu_descriptor_limit(void) { return soft_limit(RLIMIT_NOFILE); }

// mallopt(3): how much may be free at a heap's top before the allocator gives it back to the kernel.
void cu_keep_freed_memory(long long bytes) {
    mallopt(M_TRIM_THRESHOLD, bytes > INT_MAX ? INT_MAX : (int)bytes);
}

void cu_trim_heap(void) { malloc_trim(0); }

int cu_set_reset_on_close(int descriptor) {
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    return setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) < 0 ? -errno : 0;
}

int cu_disconnect(int descriptor) {
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    return connect(descriptor, &nobody, sizeof nobody) == 0 ? 0 : -errno;
}

// A program that decided about the signal itself, by a handler or by ignoring it, is left alone.
int cu_ignore_signal(int signal) {
    struct sigaction action;
    if (sigaction(signal, NULL, &action) < 0) return -errno;
    if ((action.sa_flags & SA_SIGINFO) != 0 || action.sa_handler != SIG_DFL) return 0;
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    return sigaction(signal, &ignore, NULL) < 0 ? -errno : 0;
}

// A handler may run on any thread at any time, so it does one thing: it writes an eventfd that a
// loop polls. In a forked child, which shares the eventfd, it does not.
static struct {
    struct sigaction previous;
    atomic_int event_descriptor; // descriptor + 1, so that zero means unused
    atomic_int running;          // handlers between reading the descriptor and having written it
    pid_t process;
} caught[_NSIG];

static void write_event(int signal) {
    int saved = errno;
    atomic_fetch_add(&caught[signal].running, 1);
    int descriptor = atomic_load(&caught[signal].event_descriptor) - 1;
    uint64_t one = 1;
    if (descriptor >= 0 && caught[signal].process == getpid())
        (void)!write(descriptor, &one, sizeof one);
    atomic_fetch_sub(&caught[signal].running, 1);
    errno = saved;
}

int cu_catch_signal(int signal, int event_descriptor) {
    if (signal <= 0 || signal >= _NSIG) return -EINVAL;
    struct sigaction action = {.sa_handler = write_event, .sa_flags = SA_RESTART};
    sigfillset(&action.sa_mask);
    int unused = 0;
    if (!atomic_compare_exchange_strong(&caught[signal].event_descriptor, &unused,
                                        event_descriptor + 1))
        return -EBUSY;
    caught[signal].process = getpid();
    if (sigaction(signal, &action, &caught[signal].previous) < 0) {
        int failure = -errno;
        atomic_store(&caught[signal].event_descriptor, 0);
        return failure;
    }
    return 0;
}

// The caller closes the eventfd next, so no handler may still be about to write it: its number could
// be a connection's by then.
void cu_release_signal(int signal) {
    if (signal <= 0 || signal >= _NSIG || atomic_load(&caught[signal].event_descriptor) == 0)
        return;
    sigaction(signal, &caught[signal].previous, NULL);
    atomic_store(&caught[signal].event_descriptor, 0);
    while (atomic_load(&caught[signal].running) > 0) sched_yield();
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CU_THREAD_SANITIZER 1
// compiler-rt, sanitizer/tsan_interface.h.
extern void __tsan_acquire(void *address);
extern void __tsan_release(void *address);
#endif
#endif

void cu_lock_was_taken(void *mark) {
#ifdef CU_THREAD_SANITIZER
    __tsan_acquire(mark);
#else
    (void)mark;
#endif
}

void cu_lock_will_be_left(void *mark) {
#ifdef CU_THREAD_SANITIZER
    __tsan_release(mark);
#else
    (void)mark;
#endif
}
