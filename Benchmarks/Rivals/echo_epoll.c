// The readiness rival: an echo server on edge-triggered epoll.
//
// What a careful C programmer writes without io_uring: one wait for many events, then a receive
// and a send for each. It shows how much of an echo is the kernel's TCP and no interface's merit.
#define _GNU_SOURCE
#include "service.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_BYTES = 16 * 1024, EVENTS_MAX = 256 };

// While a reply is pending nothing is received, so one buffer's worth is all that can be held.
struct connection {
    uint8_t *pending; // Allocated at the first short send, kept until the close.
    uint32_t pending_bytes, pending_sent;
    bool has_input; // An edge was reported that hasn't been read to its end.
    bool has_ended; // The peer's end was reported: read on until `recv` returns 0.
};

static struct connection *connections;
static struct service service;
static int poller;
static uint8_t buffer[BUFFER_BYTES];

static void close_connection(int descriptor) {
    free(connections[descriptor].pending);
    connections[descriptor] = (struct connection){0};
    close(descriptor);
}

// Returns the bytes taken by the socket, 0 when it is full, -1 when the connection is gone.
static ssize_t send_some(int descriptor, const uint8_t *start, size_t bytes) {
    for (;;) {
        ssize_t sent = send(descriptor, start, bytes, MSG_NOSIGNAL);
        if (sent >= 0) return sent;
        if (errno == EAGAIN) return 0;
        if (errno != EINTR) return -1;
    }
}

static void keep_rest(struct connection *connection, size_t sent, size_t bytes) {
    if (!connection->pending) connection->pending = malloc(BUFFER_BYTES);
    if (!connection->pending) fail("pending buffer", ENOMEM);
    memcpy(connection->pending, buffer + sent, bytes - sent);
    connection->pending_bytes = (uint32_t)(bytes - sent);
    connection->pending_sent = 0;
}

// Returns false when the connection is gone.
static bool flush_pending(int descriptor) {
    struct connection *connection = &connections[descriptor];
    while (connection->pending_sent < connection->pending_bytes) {
        ssize_t sent = send_some(descriptor, connection->pending + connection->pending_sent,
                                 connection->pending_bytes - connection->pending_sent);
        if (sent < 0) return false;
        if (sent == 0) return true;
        connection->pending_sent += (uint32_t)sent;
    }
    return true;
}

// Sends what `buffer` holds; what the socket doesn't take stays pending. False when it is gone.
static bool reply(int descriptor, size_t bytes) {
    size_t sent = 0;
    while (sent < bytes) {
        ssize_t taken = send_some(descriptor, buffer + sent, bytes - sent);
        if (taken < 0) return false;
        if (taken == 0) {
            keep_rest(&connections[descriptor], sent, bytes);
            return true;
        }
        sent += (size_t)taken;
    }
    return true;
}

// Reads until the socket is empty or a reply is pending. A receive that doesn't fill the buffer
// emptied the socket (epoll(7), question 9), which saves the receive that would say EAGAIN -
// unless the peer's end was reported together with the data and no further edge will come.
static bool echo_input(int descriptor) {
    struct connection *connection = &connections[descriptor];
    while (connection->has_input && connection->pending_sent == connection->pending_bytes) {
        ssize_t bytes = recv(descriptor, buffer, sizeof buffer, 0);
        if (bytes == 0) return false;
        if (bytes < 0) {
            if (errno == EINTR) continue;
            if (errno != EAGAIN) return false;
            connection->has_input = false;
            return true;
        }
        if (bytes < BUFFER_BYTES && !connection->has_ended) connection->has_input = false;
        if (!reply(descriptor, (size_t)bytes)) return false;
    }
    return true;
}

static void on_connection_event(int descriptor, uint32_t events) {
    struct connection *connection = &connections[descriptor];
    if (events & EPOLLIN) connection->has_input = true;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        connection->has_input = true;
        connection->has_ended = true;
    }
    if (!flush_pending(descriptor) || !echo_input(descriptor)) close_connection(descriptor);
}

static void watch(int descriptor, uint32_t events) {
    struct epoll_event event = {.events = events, .data.fd = descriptor};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event)) fail("epoll_ctl", errno);
}

// One connection an event: the listener is watched level-triggered, so that running out of
// descriptors or a burst of connections can't leave one behind unnoticed.
static void on_listener_event(void) {
    int descriptor = accept4(service.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) {
        // The listener stays readable, so a full descriptor table would spin without a pause.
        if (errno == EMFILE || errno == ENFILE) usleep(1000);
        return;
    }
    if (descriptor >= service.descriptors) {
        close(descriptor);
        return;
    }
    disable_nagle(descriptor);
    watch(descriptor, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

// Returns false when the process was told to end.
static bool turn(void) {
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(poller, events, EVENTS_MAX, -1);
    if (count < 0 && errno != EINTR) fail("epoll_wait", errno);
    for (int index = 0; index < count; index++) {
        int descriptor = events[index].data.fd;
        if (descriptor == service.termination) return false;
        if (descriptor == service.listener) on_listener_event();
        else on_connection_event(descriptor, events[index].events);
    }
    return true;
}

int main(int argc, char **argv) {
    service = open_service(argc, argv, SOCK_NONBLOCK);
    connections = calloc((size_t)service.descriptors, sizeof *connections);
    if (!connections) fail("connection table", ENOMEM);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0) fail("epoll_create1", errno);
    watch(service.listener, EPOLLIN);
    watch(service.termination, EPOLLIN);
    announce_ready();
    while (turn()) continue;
    return 0;
}
