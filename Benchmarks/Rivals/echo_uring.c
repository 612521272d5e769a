// The reference: an echo server on liburing, written the way io_uring is fastest for it.
//
// One thread, one ring, one system call a turn. A multishot accept brings connections, a multishot
// receive a connection brings data in buffers the kernel picks from a ring of 256; the reply is
// sent from that same buffer, which goes back to the kernel when its send is done. Every other
// server's CPU time is reported as a multiple of this one's.
#define _GNU_SOURCE
#include "service.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BUFFER_COUNT = 256, BUFFER_BYTES = 16 * 1024, BUFFER_GROUP = 0,
    SQ_ENTRIES = 1024, CQ_ENTRIES = 16 * 1024,
    // A peer that sends without reading may hold this many buffers, not the whole pool.
    QUEUE_MAX = 32,
    NONE = -1,
};

enum operation { ACCEPT, RECEIVE, SEND, CANCEL, TERMINATE };

// A connection is known by its descriptor. That needs no generation: a descriptor is closed only
// when none of its operations is in flight, so no completion can arrive for a former owner.
struct connection {
    bool is_receiving;  // A multishot receive is armed.
    bool is_cancelling; // ... and was asked to stop, because the queue is full.
    bool is_sending;    // The buffer at the head of the queue is with the kernel.
    bool is_starved;    // On the list of those whose receive ended for want of buffers.
    bool is_ended;      // The peer finished or failed: receive no more, close when drained.
    int head, tail;     // Received buffers in the order they have to be sent.
    int queued;
    int next_starved;
};

// What is known of a buffer while it is lent. A buffer is in one queue at most, so the link
// lives here and a queue needs no memory of its own.
struct lent_buffer {
    int next;
    uint32_t bytes, sent;
};

static struct io_uring ring;
static struct io_uring_buf buffer_ring_memory[BUFFER_COUNT] __attribute__((aligned(4096)));
static struct io_uring_buf_ring *const buffer_ring = (void *)buffer_ring_memory;
static uint8_t buffers[BUFFER_COUNT][BUFFER_BYTES] __attribute__((aligned(4096)));
static struct lent_buffer lent[BUFFER_COUNT];
static int lent_count;
static int returned_count; // Put into the ring in this turn, published at its end.
static struct connection *connections;
static int first_starved = NONE, last_starved = NONE;
static bool accept_is_waiting; // Descriptors ran out; accept again after the next close.
static struct service service;

static struct io_uring_sqe *next_sqe(void) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
    if (sqe) return sqe;
    int result = io_uring_submit(&ring);
    if (result < 0) fail("io_uring_submit", -result);
    sqe = io_uring_get_sqe(&ring);
    if (!sqe) fail("the submission queue is full after a submit", EBUSY);
    return sqe;
}

static void tag(struct io_uring_sqe *sqe, enum operation operation, int descriptor) {
    io_uring_sqe_set_data64(sqe, (uint64_t)operation << 32 | (uint32_t)descriptor);
}

static void arm_accept(void) {
    struct io_uring_sqe *sqe = next_sqe();
    io_uring_prep_multishot_accept(sqe, service.listener, NULL, NULL, SOCK_CLOEXEC);
    tag(sqe, ACCEPT, service.listener);
}

static void arm_receive(int descriptor) {
    struct io_uring_sqe *sqe = next_sqe();
    io_uring_prep_recv_multishot(sqe, descriptor, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = BUFFER_GROUP;
    tag(sqe, RECEIVE, descriptor);
    connections[descriptor].is_receiving = true;
}

static void cancel_receive(int descriptor) {
    struct io_uring_sqe *sqe = next_sqe();
    io_uring_prep_cancel64(sqe, (uint64_t)RECEIVE << 32 | (uint32_t)descriptor, 0);
    tag(sqe, CANCEL, descriptor);
    connections[descriptor].is_cancelling = true;
}

static void send_head(int descriptor) {
    int id = connections[descriptor].head;
    struct lent_buffer *buffer = &lent[id];
    struct io_uring_sqe *sqe = next_sqe();
    const uint8_t *start = buffers[id] + buffer->sent;
    io_uring_prep_send(sqe, descriptor, start, buffer->bytes - buffer->sent, MSG_NOSIGNAL);
    tag(sqe, SEND, descriptor);
    connections[descriptor].is_sending = true;
}

static void give_back(int id) {
    io_uring_buf_ring_add(buffer_ring, buffers[id], BUFFER_BYTES, (unsigned short)id,
                          io_uring_buf_ring_mask(BUFFER_COUNT), returned_count++);
    lent_count--;
}

static void append(struct connection *connection, int id, uint32_t bytes) {
    lent[id] = (struct lent_buffer){.next = NONE, .bytes = bytes};
    if (connection->head == NONE) connection->head = id;
    else lent[connection->tail].next = id;
    connection->tail = id;
    connection->queued++;
}

static void drop_head(struct connection *connection) {
    int id = connection->head;
    connection->head = lent[id].next;
    connection->queued--;
    give_back(id);
}

static void add_starved(int descriptor) {
    connections[descriptor].is_starved = true;
    connections[descriptor].next_starved = NONE;
    if (first_starved == NONE) first_starved = descriptor;
    else connections[last_starved].next_starved = descriptor;
    last_starved = descriptor;
}

static void close_connection(int descriptor) {
    close(descriptor);
    if (!accept_is_waiting) return;
    accept_is_waiting = false;
    arm_accept();
}

// Stops, re-arms or closes, whatever the receiving side's state now asks for.
static void change_receive(int descriptor) {
    struct connection *connection = &connections[descriptor];
    if (connection->is_receiving) {
        if (!connection->is_ended && !connection->is_cancelling) cancel_receive(descriptor);
    } else if (!connection->is_ended) {
        bool has_room = connection->queued <= QUEUE_MAX / 2;
        if (has_room && !connection->is_starved) arm_receive(descriptor);
    } else if (!connection->is_sending && !connection->is_starved) {
        close_connection(descriptor);
    }
}

// Starts whatever the connection's state now allows. Called after each of its completions, so
// that the handlers only record what happened. In the steady state, armed and with room in the
// queue, there is only the next send to start.
static inline void settle(int descriptor) {
    struct connection *connection = &connections[descriptor];
    // One send at a time: a second could overtake the rest of a short one.
    if (!connection->is_sending && connection->head != NONE) send_head(descriptor);
    if (!connection->is_receiving || connection->queued >= QUEUE_MAX) change_receive(descriptor);
}

static void on_accept(const struct io_uring_cqe *cqe) {
    if (!(cqe->flags & IORING_CQE_F_MORE)) {
        // Without descriptors, accepting again at once would spin.
        if (cqe->res == -EMFILE || cqe->res == -ENFILE) accept_is_waiting = true;
        else arm_accept();
    }
    if (cqe->res < 0) return;
    if (cqe->res >= service.descriptors) {
        close(cqe->res);
        return;
    }
    disable_nagle(cqe->res);
    connections[cqe->res] = (struct connection){.head = NONE, .tail = NONE};
    settle(cqe->res);
}

static void on_receive(int descriptor, const struct io_uring_cqe *cqe) {
    struct connection *connection = &connections[descriptor];
    if (!(cqe->flags & IORING_CQE_F_MORE)) {
        connection->is_receiving = false;
        connection->is_cancelling = false;
    }
    if (cqe->flags & IORING_CQE_F_BUFFER) {
        int id = (int)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
        lent_count++;
        // After a failed send the data has nowhere to go.
        if (cqe->res > 0 && !connection->is_ended) append(connection, id, (uint32_t)cqe->res);
        else give_back(id);
    }
    if (cqe->res == -ENOBUFS) {
        if (!connection->is_ended) add_starved(descriptor);
    } else if (cqe->res <= 0 && cqe->res != -ECANCELED) {
        connection->is_ended = true;
    }
    settle(descriptor);
}

static void on_send(int descriptor, int result) {
    struct connection *connection = &connections[descriptor];
    connection->is_sending = false;
    if (result > 0) {
        struct lent_buffer *buffer = &lent[connection->head];
        buffer->sent += (uint32_t)result;
        if (buffer->sent == buffer->bytes) drop_head(connection);
    } else {
        while (connection->head != NONE) drop_head(connection);
        connection->is_ended = true;
        // `close` doesn't end an armed receive; a shutdown completes it with 0.
        if (connection->is_receiving) shutdown(descriptor, SHUT_RDWR);
    }
    settle(descriptor);
}

// Receives that ended for want of buffers start again in the order they ended, no more of them
// than there are buffers: one too many would only end with ENOBUFS again.
static void wake_starved(void) {
    int wakes_left = BUFFER_COUNT - lent_count;
    while (first_starved != NONE && wakes_left-- > 0) {
        int descriptor = first_starved;
        first_starved = connections[descriptor].next_starved;
        connections[descriptor].is_starved = false;
        settle(descriptor);
    }
}

// Returns false when the process was told to end.
static bool handle(const struct io_uring_cqe *cqe) {
    int descriptor = (int)(uint32_t)cqe->user_data;
    switch ((enum operation)(cqe->user_data >> 32)) {
    case ACCEPT: on_accept(cqe); break;
    case RECEIVE: on_receive(descriptor, cqe); break;
    case SEND: on_send(descriptor, cqe->res); break;
    case CANCEL: break; // The receive reports its own end.
    case TERMINATE: return false;
    }
    return true;
}

static bool turn(void) {
    bool goes_on = true;
    unsigned head, reaped = 0;
    struct io_uring_cqe *cqe;
    int result = io_uring_submit_and_wait(&ring, 1);
    if (result < 0 && result != -EINTR) fail("io_uring_submit_and_wait", -result);
    io_uring_for_each_cqe(&ring, head, cqe) {
        goes_on &= handle(cqe);
        reaped++;
    }
    io_uring_cq_advance(&ring, reaped);
    io_uring_buf_ring_advance(buffer_ring, returned_count);
    returned_count = 0;
    wake_starved();
    return goes_on;
}

static void open_ring(void) {
    struct io_uring_params parameters = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                 IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE,
        .cq_entries = CQ_ENTRIES,
    };
    int result = io_uring_queue_init_params(SQ_ENTRIES, &ring, &parameters);
    if (result < 0) fail("io_uring_setup (Linux 6.1 or newer is needed)", -result);
    result = io_uring_register_ring_fd(&ring);
    if (result < 0) fail("registering the ring's descriptor", -result);
}

static void open_buffers(void) {
    struct io_uring_buf_reg registration = {
        .ring_addr = (uintptr_t)buffer_ring, .ring_entries = BUFFER_COUNT, .bgid = BUFFER_GROUP};
    int result = io_uring_register_buf_ring(&ring, &registration, 0);
    if (result < 0) fail("registering the buffer ring", -result);
    io_uring_buf_ring_init(buffer_ring);
    lent_count = BUFFER_COUNT;
    for (int id = 0; id < BUFFER_COUNT; id++) give_back(id);
    io_uring_buf_ring_advance(buffer_ring, returned_count);
    returned_count = 0;
}

int main(int argc, char **argv) {
    service = open_service(argc, argv, 0);
    connections = calloc((size_t)service.descriptors, sizeof *connections);
    if (!connections) fail("connection table", ENOMEM);
    open_ring();
    open_buffers();
    struct io_uring_sqe *sqe = next_sqe();
    io_uring_prep_poll_add(sqe, service.termination, POLLIN);
    tag(sqe, TERMINATE, service.termination);
    arm_accept();
    announce_ready();
    while (turn()) continue;
    io_uring_queue_exit(&ring);
    return 0;
}
