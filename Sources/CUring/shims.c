#define _GNU_SOURCE 1
#include "CUring.h"

#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
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

// --- datagrams -------------------------------------------------------------------------------------------------------

long cu_receive_message(int descriptor, struct cu_message *message, void *bytes, size_t count) {
    struct iovec run = {.iov_base = bytes, .iov_len = count};
    message->header.msg_iov = &run;
    message->header.msg_iovlen = 1;
    ssize_t result = recvmsg(descriptor, &message->header, MSG_DONTWAIT);
    int failure = errno;
    message->header.msg_iov = NULL;
    message->header.msg_iovlen = 0;
    return result < 0 ? -failure : result;
}

long cu_send_segments(int descriptor, const void *bytes, size_t count, const struct cu_address *address,
                      uint16_t segment_bytes) {
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof segment_bytes)] = {0};
    struct iovec run = {.iov_base = (void *)bytes, .iov_len = count};
    struct cu_message message = {.header = {.msg_iov = &run, .msg_iovlen = 1}};
    if (address) {
        message.header.msg_name = (void *)&address->storage;
        message.header.msg_namelen = address->length;
    }
    message.header.msg_control = control;
    message.header.msg_controllen = sizeof control;
    struct cmsghdr *head = CMSG_FIRSTHDR(&message.header);
    head->cmsg_level = CU_UDP_LEVEL;
    head->cmsg_type = CU_UDP_SEGMENT;
    head->cmsg_len = CMSG_LEN(sizeof segment_bytes);
    memcpy(CMSG_DATA(head), &segment_bytes, sizeof segment_bytes);
    return cu_send_message(descriptor, &message);
}

static int socket_number(int descriptor, int option) {
    int value = 0;
    socklen_t length = sizeof value;
    return getsockopt(descriptor, SOL_SOCKET, option, &value, &length) < 0 ? -errno : value;
}

int cu_socket_family(int descriptor) { return socket_number(descriptor, SO_DOMAIN); }
int cu_socket_type(int descriptor) { return socket_number(descriptor, SO_TYPE); }

int cu_set_membership4(int descriptor, bool joins, uint32_t group, uint32_t interface) {
    struct ip_mreqn request = {.imr_multiaddr.s_addr = group, .imr_ifindex = (int)interface};
    int option = joins ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP;
    return setsockopt(descriptor, IPPROTO_IP, option, &request, sizeof request) < 0 ? -errno : 0;
}

int cu_set_membership6(int descriptor, bool joins, const void *group, uint32_t interface) {
    struct ipv6_mreq request = {.ipv6mr_interface = interface};
    memcpy(&request.ipv6mr_multiaddr, group, sizeof request.ipv6mr_multiaddr);
    int option = joins ? IPV6_ADD_MEMBERSHIP : IPV6_DROP_MEMBERSHIP;
    return setsockopt(descriptor, IPPROTO_IPV6, option, &request, sizeof request) < 0 ? -errno : 0;
}

uint32_t cu_interface_index(const char *name) { return if_nametoindex(name); }

int cu_set_multicast_interface4(int descriptor, uint32_t interface) {
    struct ip_mreqn request = {.imr_ifindex = (int)interface};
    return setsockopt(descriptor, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request) < 0 ? -errno : 0;
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

// A handler may run on any thread at any time, so it does one thing: it writes the eventfds that loops
// poll. In a forked child, which shares them, it does not.
enum { events_max = 256 };
static struct {
    struct sigaction previous;
    atomic_int events[events_max]; // descriptor + 1, so that zero means unused
    atomic_int bound;              // no event from here on
    atomic_int running;            // handlers between reading a descriptor and having written it
    int count;
    bool is_alone;
    _Atomic pid_t process;
} caught[_NSIG];
static pthread_mutex_t catching = PTHREAD_MUTEX_INITIALIZER;

static void write_events(int signal) {
    int saved = errno;
    atomic_fetch_add(&caught[signal].running, 1);
    uint64_t one = 1;
    int bound = atomic_load(&caught[signal].process) == getpid() ? atomic_load(&caught[signal].bound) : 0;
    for (int i = 0; i < bound; i++) {
        int descriptor = atomic_load(&caught[signal].events[i]) - 1;
        if (descriptor >= 0) (void)!write(descriptor, &one, sizeof one);
    }
    atomic_fetch_sub(&caught[signal].running, 1);
    errno = saved;
}

static int add_event(int signal, int event_descriptor) {
    for (int i = 0; i < events_max; i++) {
        if (atomic_load(&caught[signal].events[i]) != 0) continue;
        atomic_store(&caught[signal].events[i], event_descriptor + 1);
        if (atomic_load(&caught[signal].bound) <= i) atomic_store(&caught[signal].bound, i + 1);
        return i;
    }
    return -ENOSPC;
}

static int catch_locked(int signal, int event_descriptor, bool alone) {
    if (caught[signal].count > 0 && (alone || caught[signal].is_alone)) return -EBUSY;
    int place = add_event(signal, event_descriptor);
    if (place < 0) return place;
    if (caught[signal].count == 0) {
        struct sigaction action = {.sa_handler = write_events, .sa_flags = SA_RESTART};
        sigfillset(&action.sa_mask);
        atomic_store(&caught[signal].process, getpid());
        if (sigaction(signal, &action, &caught[signal].previous) < 0) {
            int failure = -errno;
            atomic_store(&caught[signal].events[place], 0);
            return failure;
        }
    }
    caught[signal].count += 1;
    caught[signal].is_alone = alone;
    return 0;
}

int cu_catch_signal(int signal, int event_descriptor, bool alone) {
    if (signal <= 0 || signal >= _NSIG) return -EINVAL;
    pthread_mutex_lock(&catching);
    int result = catch_locked(signal, event_descriptor, alone);
    pthread_mutex_unlock(&catching);
    return result;
}

static bool remove_event(int signal, int event_descriptor) {
    for (int i = 0; i < events_max; i++) {
        int expected = event_descriptor + 1;
        if (atomic_compare_exchange_strong(&caught[signal].events[i], &expected, 0)) return true;
    }
    return false;
}

// The caller closes the eventfd next, so no handler may still be about to write it: its number could
// be a connection's by then.
void cu_release_signal(int signal, int event_descriptor) {
    if (signal <= 0 || signal >= _NSIG) return;
    pthread_mutex_lock(&catching);
    if (remove_event(signal, event_descriptor)) {
        caught[signal].count -= 1;
        if (caught[signal].count == 0) sigaction(signal, &caught[signal].previous, NULL);
        while (atomic_load(&caught[signal].running) > 0) sched_yield();
    }
    pthread_mutex_unlock(&catching);
}

// --- pipes and the descriptors of others --------------------------------------------------------------------------------

int cu_make_pipe(int *reader, int *writer) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
    *reader = ends[0];
    *writer = ends[1];
    return 0;
}

int cu_duplicate(int descriptor, int lowest) {
    int copy = fcntl(descriptor, F_DUPFD_CLOEXEC, lowest);
    return copy < 0 ? -errno : copy;
}

int cu_status_flags(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    return flags < 0 ? -errno : flags;
}

int cu_set_nonblocking(int descriptor, bool is_on) {
    int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0) return -errno;
    int wanted = is_on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    return fcntl(descriptor, F_SETFL, wanted) < 0 ? -errno : 0;
}

int cu_reopen(int descriptor, int access) {
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    int again = open(path, access | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    return again < 0 ? -errno : again;
}

int cu_is_pollable(int descriptor) {
    int set = epoll_create1(EPOLL_CLOEXEC);
    if (set < 0) return -errno;
    int result = control(set, EPOLL_CTL_ADD, descriptor, EPOLLIN, 0);
    close(set);
    return result;
}

static __thread int broken_pipe_guards;
static __thread bool broken_pipe_was_blocked;

static void fill_with_broken_pipe(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGPIPE);
}

void cu_guard_broken_pipe(void) {
    if (broken_pipe_guards++ > 0) return;
    sigset_t set, before;
    fill_with_broken_pipe(&set);
    pthread_sigmask(SIG_BLOCK, &set, &before);
    broken_pipe_was_blocked = sigismember(&before, SIGPIPE) == 1;
}

void cu_unguard_broken_pipe(void) {
    if (--broken_pipe_guards > 0 || broken_pipe_was_blocked) return;
    sigset_t set;
    fill_with_broken_pipe(&set);
    struct timespec none = {0};
    while (sigtimedwait(&set, NULL, &none) < 0 && errno == EINTR) {
    }
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

// --- processes ----------------------------------------------------------------------------------------------------------

// The order matters: descriptors first, since the directory may be what they lie in; then everything
// else is closed, gaps below the highest target included.
static int add_actions(posix_spawn_file_actions_t *actions, const struct cu_spawn *spawn) {
    bool is_wanted[spawn->beyond > 0 ? spawn->beyond : 1];
    memset(is_wanted, 0, sizeof is_wanted);
    for (int i = 0; i < spawn->count; i++) {
        int target = spawn->targets[i];
        int failure = spawn->sources[i] < 0
            ? posix_spawn_file_actions_addopen(actions, target, "/dev/null", target == 0 ? O_RDONLY : O_WRONLY, 0)
            : posix_spawn_file_actions_adddup2(actions, spawn->sources[i], target);
        if (failure != 0) return failure;
        is_wanted[target] = true;
    }
    for (int target = 0; target < spawn->beyond; target++) {
        if (is_wanted[target]) continue;
        int failure = posix_spawn_file_actions_addclose(actions, target);
        if (failure != 0) return failure;
    }
    int failure = posix_spawn_file_actions_addclosefrom_np(actions, spawn->beyond);
    if (failure != 0 || spawn->directory == NULL) return failure;
    return posix_spawn_file_actions_addchdir_np(actions, spawn->directory);
}

// No signal is blocked or ignored in the child, whatever is here: SIGPIPE is, on a loop's thread.
static int set_attributes(posix_spawnattr_t *attributes, int group) {
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    if (group == CU_SPAWN_OWN_GROUP) flags |= POSIX_SPAWN_SETPGROUP;
    if (group == CU_SPAWN_OWN_SESSION) flags |= POSIX_SPAWN_SETSID;
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &all);
    return posix_spawnattr_setflags(attributes, flags);
}

int cu_spawn(const struct cu_spawn *spawn) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int failure = posix_spawn_file_actions_init(&actions);
    if (failure != 0) return -failure;
    failure = posix_spawnattr_init(&attributes);
    if (failure != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return -failure;
    }
    pid_t process = 0;
    failure = add_actions(&actions, spawn);
    if (failure == 0) failure = set_attributes(&attributes, spawn->group);
    if (failure == 0) {
        failure = spawn->searches_path
            ? posix_spawnp(&process, spawn->program, &actions, &attributes, spawn->arguments, spawn->environment)
            : posix_spawn(&process, spawn->program, &actions, &attributes, spawn->arguments, spawn->environment);
    }
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failure != 0 ? -failure : process;
}

int cu_open_process(int process) {
    long descriptor = syscall(SYS_pidfd_open, process, 0);
    return descriptor < 0 ? -errno : (int)descriptor;
}

int cu_signal_process(int process_descriptor, int signal) {
    return syscall(SYS_pidfd_send_signal, process_descriptor, signal, NULL, 0) < 0 ? -errno : 0;
}

int cu_signal_group(int process_descriptor, int signal) {
    enum { process_group = 1 << 2 }; // PIDFD_SIGNAL_PROCESS_GROUP
    return syscall(SYS_pidfd_send_signal, process_descriptor, signal, NULL, process_group) < 0 ? -errno : 0;
}

int cu_reap_process(int process_descriptor, int *code, int *status) {
    siginfo_t info = {0};
    enum { by_descriptor = 3 }; // P_PIDFD, Linux 5.4
    if (waitid((idtype_t)by_descriptor, (id_t)process_descriptor, &info, WEXITED | WNOHANG) < 0) return -errno;
    if (info.si_pid == 0) return 0;
    *code = info.si_code;
    *status = info.si_status;
    return 1;
}
