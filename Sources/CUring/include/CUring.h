// Inline shims over liburing, and the constants that newer kernels add to what Debian's liburing
// 2.3 knows. No logic lives here: each function fills one submission entry, touches one shared
// word, or makes one system call.
#ifndef CURING_H
#define CURING_H

// First: it fixes libc's feature macros as the rest of the program has them. liburing.h defines
// others, and with those this module saw another fd_set than Swift's own Glibc module, which then
// refused to be built now and then.
#include <features.h>

#include <liburing.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

// What a kernel may know and liburing 2.3 does not (include/uapi/linux/io_uring.h of Linux 6.18).
enum {
    CU_ENTER_NO_IOWAIT = 1U << 7,   // Linux 6.15
    CU_FEAT_NO_IOWAIT = 1U << 17,   // Linux 6.15
    CU_NOP_INJECT_RESULT = 1U << 0, // Linux 6.10
    CU_OP_READ_MULTISHOT = 49,      // Linux 6.7
};

// An address as the kernel takes it, with its length; and a message header. Types of this module
// alone: libc's own are seen through several modules, and Swift takes them from whichever was
// loaded first.
struct cu_address {
    struct sockaddr_storage storage;
    uint32_t length;
    // When a connect that is timed by the kernel ends, on CLOCK_MONOTONIC.
    struct __kernel_timespec deadline;
};
struct cu_message {
    struct msghdr header;
};

// The loop whose thread this is, or NULL. Swift has no thread-local storage of its own.
extern __thread void *cu_current_loop_storage __attribute__((tls_model("initial-exec")));

static inline void *cu_current_loop(void) { return cu_current_loop_storage; }
static inline void cu_set_current_loop(void *loop) { cu_current_loop_storage = loop; }

// The clock of a simulation whose thread this is, in nanoseconds, or NULL.
extern __thread const uint64_t *cu_simulated_clock_storage __attribute__((tls_model("initial-exec")));

static inline const uint64_t *cu_simulated_clock(void) { return cu_simulated_clock_storage; }
static inline void cu_set_simulated_clock(const uint64_t *clock) { cu_simulated_clock_storage = clock; }

/// Tells the CPU that this thread spins, so that the other thread of the same core gets its share.
static inline void cu_relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// --- the shared words of a ring -------------------------------------------------------------------------------------

/// The queue has a free entry.
__attribute__((always_inline)) static inline bool cu_has_room(const struct io_uring *ring) {
    const struct io_uring_sq *sq = &ring->sq;
    // Acquire: with SQPOLL the kernel's thread reads entries at any time, and an entry is free only
    // once that is over.
    return sq->sqe_tail - __atomic_load_n(sq->khead, __ATOMIC_ACQUIRE) < sq->ring_entries;
}

/// Whether the submission queue has two free entries, which are handed over together.
static inline bool cu_has_room_for_two(const struct io_uring *ring) {
    const struct io_uring_sq *sq = &ring->sq;
    return sq->sqe_tail - __atomic_load_n(sq->khead, __ATOMIC_ACQUIRE) + 1 < sq->ring_entries;
}

/// The next free entry, which `cu_has_room` promised.
__attribute__((always_inline, returns_nonnull)) static inline struct io_uring_sqe *
cu_take_entry(struct io_uring *ring) {
    struct io_uring_sq *sq = &ring->sq;
    return &sq->sqes[sq->sqe_tail++ & sq->ring_mask];
}

/// The next free entry, or NULL when the queue is full. As io_uring_get_sqe(3), for entries of 64
/// bytes.
static inline struct io_uring_sqe *cu_next_entry(struct io_uring *ring) {
    return cu_has_room(ring) ? cu_take_entry(ring) : NULL;
}

/// Makes every prepared entry visible to the kernel; returns how many it has not consumed yet.
static inline unsigned cu_flush_entries(struct io_uring *ring) {
    struct io_uring_sq *sq = &ring->sq;
    if (sq->sqe_head != sq->sqe_tail) {
        sq->sqe_head = sq->sqe_tail;
        __atomic_store_n(sq->ktail, sq->sqe_tail, __ATOMIC_RELEASE);
    }
    return sq->sqe_tail - __atomic_load_n(sq->khead, __ATOMIC_ACQUIRE);
}

static inline unsigned cu_prepared_entries(const struct io_uring *ring) {
    return ring->sq.sqe_tail - __atomic_load_n(ring->sq.khead, __ATOMIC_ACQUIRE);
}

static inline unsigned cu_queue_flags(const struct io_uring *ring) {
    return __atomic_load_n(ring->sq.kflags, __ATOMIC_RELAXED);
}

// The kernel reads NEED_WAKEUP only after a full barrier against the tail it was given
// (io_uring(7), SQPOLL).
static inline unsigned cu_queue_flags_after_barrier(const struct io_uring *ring) {
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return __atomic_load_n(ring->sq.kflags, __ATOMIC_RELAXED);
}

static inline unsigned cu_ready_completions(const struct io_uring *ring) {
    return __atomic_load_n(ring->cq.ktail, __ATOMIC_ACQUIRE) - *ring->cq.khead;
}

// The completion queue's words, for a loop that reads many entries: index `head` on, each modulo
// `mask`.
__attribute__((returns_nonnull)) static inline const struct io_uring_cqe *cu_completions(const struct io_uring *ring) {
    return ring->cq.cqes;
}
static inline unsigned cu_completion_mask(const struct io_uring *ring) { return ring->cq.ring_mask; }
static inline unsigned cu_completion_head(const struct io_uring *ring) { return *ring->cq.khead; }

__attribute__((returns_nonnull)) static inline const struct io_uring_cqe *cu_completion(const struct io_uring *ring, unsigned index) {
    return &ring->cq.cqes[(*ring->cq.khead + index) & ring->cq.ring_mask];
}

/// An entry's result (lower half) and flags (upper half) in one word.
static inline uint64_t cu_completion_word(const struct io_uring_cqe *entry) {
    return (uint64_t)(uint32_t)entry->res | (uint64_t)entry->flags << 32;
}

static inline void cu_advance_completions(struct io_uring *ring, unsigned count) {
    __atomic_store_n(ring->cq.khead, *ring->cq.khead + count, __ATOMIC_RELEASE);
}

static inline unsigned cu_overflow_count(const struct io_uring *ring) {
    return __atomic_load_n(ring->cq.koverflow, __ATOMIC_RELAXED);
}

/// One io_uring_enter(2). `timeout` may be NULL; a relative one needs FEAT_EXT_ARG. Returns entries
/// consumed, or -errno.
static inline int cu_enter(struct io_uring *ring, unsigned submit, unsigned wait, unsigned flags,
                           struct __kernel_timespec *timeout) {
    struct io_uring_getevents_arg argument = {
        .sigmask = 0, .sigmask_sz = _NSIG / 8, .ts = (uint64_t)(uintptr_t)timeout};
    if (ring->enter_ring_fd != ring->ring_fd) flags |= IORING_ENTER_REGISTERED_RING;
    return io_uring_enter2((unsigned)ring->enter_ring_fd, submit, wait, flags | IORING_ENTER_EXT_ARG,
                           (sigset_t *)(void *)&argument, sizeof argument);
}

/// As `cu_enter`, with a relative timeout in nanoseconds, or none when it is negative.
static inline int cu_enter_within(struct io_uring *ring, unsigned submit, unsigned wait, unsigned flags,
                                  int64_t nanoseconds) {
    if (nanoseconds < 0) return cu_enter(ring, submit, wait, flags, NULL);
    struct __kernel_timespec timeout = {
        .tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
    return cu_enter(ring, submit, wait, flags, &timeout);
}

/// How many entries were prepared since the last flush.
static inline unsigned cu_unflushed_entries(const struct io_uring *ring) {
    return ring->sq.sqe_tail - ring->sq.sqe_head;
}

// liburing 2.3 hands out the operations' list as a flexible array, which Swift does not import.
static inline bool cu_supports(const struct io_uring_probe *probe, int opcode) {
    return io_uring_opcode_supported(probe, opcode);
}

// --- submission entries: one function an operation ------------------------------------------------------------------

static inline void cu_prepare(struct io_uring_sqe *entry, uint8_t opcode, int descriptor, uint64_t user_data) {
    memset(entry, 0, sizeof *entry);
    entry->opcode = opcode;
    entry->fd = descriptor;
    entry->user_data = user_data;
}

static inline void cu_prepare_accept(struct io_uring_sqe *entry, int descriptor, bool multishot, uint64_t user_data) {
    cu_prepare(entry, IORING_OP_ACCEPT, descriptor, user_data);
    entry->accept_flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
    entry->ioprio = multishot ? IORING_ACCEPT_MULTISHOT : 0;
}

static inline void cu_prepare_connect(struct io_uring_sqe *entry, int descriptor, const void *address, unsigned length,
                                      uint64_t user_data) {
    cu_prepare(entry, IORING_OP_CONNECT, descriptor, user_data);
    entry->addr = (uint64_t)(uintptr_t)address;
    entry->off = length;
}

/// Ends the operation of the entry before it with ECANCELED at `deadline` (IORING_OP_LINK_TIMEOUT, Linux 5.5), which
/// is read when both are handed over.
static inline void cu_prepare_link_timeout(struct io_uring_sqe *linked, struct io_uring_sqe *entry,
                                           const struct __kernel_timespec *deadline, uint64_t user_data) {
    linked->flags |= IOSQE_IO_LINK;
    cu_prepare(entry, IORING_OP_LINK_TIMEOUT, -1, user_data);
    entry->addr = (uint64_t)(uintptr_t)deadline;
    entry->len = 1;
    entry->timeout_flags = IORING_TIMEOUT_ABS;
}

/// A receive into a buffer of `group`. `budget` (bytes, 0 = none) is the kernel's own total for a
/// multishot (Linux 6.17).
static inline void cu_prepare_receive(struct io_uring_sqe *entry, int descriptor, uint16_t group, bool multishot,
                                      bool poll_first, uint32_t budget, uint64_t user_data) {
    cu_prepare(entry, IORING_OP_RECV, descriptor, user_data);
    entry->flags = 1U << IOSQE_BUFFER_SELECT_BIT;
    entry->buf_group = group;
    entry->ioprio = (multishot ? IORING_RECV_MULTISHOT : 0) | (poll_first ? IORING_RECVSEND_POLL_FIRST : 0);
    entry->file_index = budget;
}

/// A read at the current position, as pipes and terminals have it, into a buffer of `group`.
static inline void cu_prepare_read(struct io_uring_sqe *entry, int descriptor, uint16_t group, bool multishot,
                                   uint64_t user_data) {
    cu_prepare(entry, multishot ? CU_OP_READ_MULTISHOT : IORING_OP_READ, descriptor, user_data);
    entry->flags = 1U << IOSQE_BUFFER_SELECT_BIT;
    entry->buf_group = group;
    entry->off = UINT64_MAX;
}

/// A write at the current position.
static inline void cu_prepare_write(struct io_uring_sqe *entry, int descriptor, const void *bytes, uint32_t length,
                                    uint64_t user_data) {
    cu_prepare(entry, IORING_OP_WRITE, descriptor, user_data);
    entry->addr = (uint64_t)(uintptr_t)bytes;
    entry->len = length;
    entry->off = UINT64_MAX;
}

/// Drops up to `length` received bytes without a buffer: recv(2) with MSG_TRUNC and no memory
/// (tcp(7)).
static inline void cu_prepare_discard(struct io_uring_sqe *entry, int descriptor, uint32_t length, uint64_t user_data) {
    cu_prepare(entry, IORING_OP_RECV, descriptor, user_data);
    entry->len = length;
    entry->msg_flags = MSG_TRUNC;
}

static inline void cu_prepare_send(struct io_uring_sqe *entry, int descriptor, const void *bytes, uint32_t length,
                                   uint64_t user_data) {
    cu_prepare(entry, IORING_OP_SEND, descriptor, user_data);
    entry->addr = (uint64_t)(uintptr_t)bytes;
    entry->len = length;
    entry->msg_flags = MSG_NOSIGNAL | MSG_WAITALL;
}

// Two completions (Linux 6.0): the result with F_MORE, then F_NOTIF once the kernel no longer reads the bytes.
static inline void cu_prepare_send_zero_copy(struct io_uring_sqe *entry, int descriptor, const void *bytes,
                                             uint32_t length, uint64_t user_data) {
    cu_prepare_send(entry, descriptor, bytes, length, user_data);
    entry->opcode = IORING_OP_SEND_ZC;
}

static inline void cu_prepare_send_message(struct io_uring_sqe *entry, int descriptor, const struct msghdr *message,
                                           uint64_t user_data) {
    cu_prepare(entry, IORING_OP_SENDMSG, descriptor, user_data);
    entry->addr = (uint64_t)(uintptr_t)message;
    entry->len = 1;
    entry->msg_flags = MSG_NOSIGNAL | MSG_WAITALL;
}

/// Receives datagrams. With `multishot` each comes in a buffer of `group`, behind its sender and its control data
/// (struct io_uring_recvmsg_out, Linux 6.0); without, one comes, and sender and control data go where `message` says.
static inline void cu_prepare_receive_message(struct io_uring_sqe *entry, int descriptor,
                                              const struct cu_message *message, uint16_t group, bool multishot,
                                              bool poll_first, uint64_t user_data) {
    cu_prepare(entry, IORING_OP_RECVMSG, descriptor, user_data);
    entry->addr = (uint64_t)(uintptr_t)message;
    entry->len = 1;
    entry->flags = 1U << IOSQE_BUFFER_SELECT_BIT;
    entry->buf_group = group;
    entry->ioprio = (multishot ? IORING_RECV_MULTISHOT : 0) | (poll_first ? IORING_RECVSEND_POLL_FIRST : 0);
}

static inline void cu_prepare_poll(struct io_uring_sqe *entry, int descriptor, uint32_t events, bool multishot,
                                   uint64_t user_data) {
    cu_prepare(entry, IORING_OP_POLL_ADD, descriptor, user_data);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    events = (events << 16) | (events >> 16);
#endif
    entry->poll32_events = events;
    entry->len = multishot ? IORING_POLL_ADD_MULTI : 0;
}

static inline void cu_prepare_cancel(struct io_uring_sqe *entry, uint64_t target, uint64_t user_data) {
    cu_prepare(entry, IORING_OP_ASYNC_CANCEL, -1, user_data);
    entry->addr = target;
}

static inline void cu_prepare_cancel_any(struct io_uring_sqe *entry, uint64_t user_data) {
    cu_prepare(entry, IORING_OP_ASYNC_CANCEL, -1, user_data);
    entry->cancel_flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
}

static inline void cu_prepare_nop(struct io_uring_sqe *entry, uint64_t user_data) {
    cu_prepare(entry, IORING_OP_NOP, -1, user_data);
}

/// Does nothing and completes with `result`. The flags' place has no name of its own in liburing 2.3.
static inline void cu_prepare_result(struct io_uring_sqe *entry, int32_t result, uint64_t user_data) {
    cu_prepare_nop(entry, user_data);
    entry->rw_flags = CU_NOP_INJECT_RESULT;
    entry->len = (uint32_t)result;
}

// --- a provided-buffer ring -----------------------------------------------------------------------------------------

// The tail overlays bufs[0].resv (struct io_uring_buf_ring): entries start at offset 0, not behind
// the tail.
static inline void cu_provide_buffer(struct io_uring_buf_ring *ring, void *bytes, uint32_t length, uint16_t id,
                                     uint16_t mask, uint16_t offset) {
    struct io_uring_buf *entry = &ring->bufs[(ring->tail + offset) & mask];
    entry->addr = (uint64_t)(uintptr_t)bytes;
    entry->len = length;
    entry->bid = id;
}

static inline void cu_publish_buffers(struct io_uring_buf_ring *ring, uint16_t count) {
    __atomic_store_n(&ring->tail, (uint16_t)(ring->tail + count), __ATOMIC_RELEASE);
}

static inline void cu_reset_buffers(struct io_uring_buf_ring *ring) { ring->tail = 0; }

// --- epoll, and the calls that it says are worth trying ---------------------------------------------------------------

enum {
    CU_EVENT_READ = EPOLLIN,
    CU_EVENT_WRITE = EPOLLOUT,
    CU_EVENT_PEER_ENDED = EPOLLRDHUP,
    CU_EVENT_HUNG_UP = EPOLLHUP,
    CU_EVENT_FAILED = EPOLLERR,
    CU_EVENT_BYTES = sizeof(struct epoll_event),
};

// The kernel packs its events on x86-64, which Swift does not: so they are read here.
static inline uint32_t cu_event_flags(const void *events, long index) {
    return ((const struct epoll_event *)events)[index].events;
}
static inline uint64_t cu_event_word(const void *events, long index) {
    return ((const struct epoll_event *)events)[index].data.u64;
}

int cu_epoll_create(void);
/// Watches a descriptor, edge-triggered; 0 or -errno.
int cu_epoll_add(int set, int descriptor, uint32_t events, uint64_t word);
int cu_epoll_change(int set, int descriptor, uint32_t events, uint64_t word);
int cu_epoll_remove(int set, int descriptor);
/// How many events were written, or -errno; a negative timeout is none.
int cu_epoll_wait(int set, void *events, int count, int milliseconds);
/// The same to the nanosecond (Linux 5.11).
int cu_epoll_wait_within(int set, void *events, int count, int64_t nanoseconds);

// libc's own recv(2) and send(2) are points where a thread may be cancelled, which costs about forty
// instructions each; a loop's thread never is.
static inline long cu_receive(int descriptor, void *bytes, size_t count, int flags) {
    long result = syscall(SYS_recvfrom, descriptor, bytes, count, flags | MSG_DONTWAIT, NULL, NULL);
    return result < 0 ? -errno : result;
}
static inline long cu_send(int descriptor, const void *bytes, size_t count) {
    long result = syscall(SYS_sendto, descriptor, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);
    return result < 0 ? -errno : result;
}

static inline long cu_read(int descriptor, void *bytes, size_t count) {
    long result = syscall(SYS_read, descriptor, bytes, count);
    return result < 0 ? -errno : result;
}
static inline long cu_write(int descriptor, const void *bytes, size_t count) {
    long result = syscall(SYS_write, descriptor, bytes, count);
    return result < 0 ? -errno : result;
}

long cu_send_message(int descriptor, const struct cu_message *message);
/// A connection, close-on-exec and non-blocking, or -errno.
int cu_accept(int listener);
int cu_connect(int descriptor, const struct cu_address *address);
/// What became of a connect, as SO_ERROR has it: 0 or -errno.
int cu_connect_result(int descriptor);
/// What poll(2) says at once, or -errno.
int cu_poll_now(int descriptor, uint32_t events);

/// Has a ring signal an eventfd when there is work for its thread; 0 or -errno.
static inline int cu_register_event(struct io_uring *ring, int event_descriptor) {
    return io_uring_register_eventfd(ring, event_descriptor);
}

// --- what ThreadSanitizer is told of locks ----------------------------------------------------------------------------

/// After a lock was taken, before it is left; `mark` stands for the lock. Without the sanitizer they do nothing.
void cu_lock_was_taken(void *mark);
void cu_lock_will_be_left(void *mark);

// --- system calls and macros that the Swift overlay does not have ---------------------------------------------------

const char *cu_errno_name(int number);
const char *cu_environment_entry(long position);
int cu_event_descriptor(void);
int cu_close(int descriptor);
int cu_hold_file(const char *path);
bool cu_holds_ipc_lock(void);
long long cu_acknowledged_bytes(int descriptor);
/// The Swift task that runs on the calling thread, or NULL: the entry of the runtime that the compiler
/// itself calls. Only to be compared.
extern void *swift_task_getCurrent(void) __attribute__((swiftcall));
static inline uintptr_t cu_current_task(void) { return (uintptr_t)swift_task_getCurrent(); }

int cu_unsent_bytes(int descriptor);
int cu_incoming_cpu(int descriptor);
long long cu_locked_memory_limit(void);
long long cu_descriptor_limit(void);
void cu_keep_freed_memory(long long bytes);
void cu_trim_heap(void);
int cu_set_reset_on_close(int descriptor);
/// Ends a TCP connection with a reset and drops what is still to be sent; 0 or -errno.
int cu_disconnect(int descriptor);
/// Ignores a signal whose action is the default one; 0 or -errno.
int cu_ignore_signal(int signal);
/// Has a signal write an eventfd, beside those that it writes already; 0 or -errno. EBUSY when it is
/// caught alone, or is to be and is caught already; ENOSPC when it has too many.
int cu_catch_signal(int signal, int event_descriptor, bool alone);
/// No longer; the last one brings the previous action back.
void cu_release_signal(int signal, int event_descriptor);

// --- pipes and the descriptors of others ------------------------------------------------------------------------------

/// Both ends, close-on-exec; 0 or -errno.
int cu_make_pipe(int *reader, int *writer);
/// The same open file description under another number, at least `lowest`, close-on-exec.
int cu_duplicate(int descriptor, int lowest);
/// The flags of fcntl(2), F_GETFL.
int cu_status_flags(int descriptor);
int cu_set_nonblocking(int descriptor, bool is_on);
/// What a descriptor leads to once more, with an open file description of its own: non-blocking and
/// close-on-exec. `access` is O_RDONLY, O_WRONLY or O_RDWR.
int cu_reopen(int descriptor, int access);
/// epoll_ctl(2) takes it: 0; -EPERM where nothing is ever waited for.
int cu_is_pollable(int descriptor);
/// Blocks SIGPIPE on the calling thread, until as many calls of the other have followed: that one
/// takes a signal that waits, and lets the thread have later ones again.
void cu_guard_broken_pipe(void);
void cu_unguard_broken_pipe(void);

// --- processes ----------------------------------------------------------------------------------------------------------

enum {
    CU_SPAWN_SAME_GROUP = 0,
    CU_SPAWN_OWN_GROUP = 1,
    CU_SPAWN_OWN_SESSION = 2,
};

/// What posix_spawn(3) is asked for. All pointers are read during the call.
struct cu_spawn {
    const char *program;
    bool searches_path;
    int group;
    char *const *arguments;
    char *const *environment;
    const char *directory;
    /// The child gets `sources[i]` as `targets[i]`, and nothing else; -1 stands for /dev/null.
    const int *targets;
    const int *sources;
    int count;
    /// One more than the highest target.
    int beyond;
};
/// The child's number, or -errno: also of what the child failed at before its program began.
int cu_spawn(const struct cu_spawn *spawn);
/// A descriptor of a child (pidfd_open(2), Linux 5.3), close-on-exec.
int cu_open_process(int process);
/// Signals a process by its descriptor (pidfd_send_signal(2)); 0 or -errno.
int cu_signal_process(int process_descriptor, int signal);
/// Signals what is left of the group that a process leads or led (Linux 6.9); 0 or -errno, EINVAL on older kernels.
int cu_signal_group(int process_descriptor, int signal);
/// What a child that has ended left: 1, 0 while it runs, or -errno. ECHILD: the kernel kept nothing.
int cu_reap_process(int process_descriptor, int *code, int *status);

#include "CUringDatagrams.h"
#include "CUringFiles.h"

#endif
