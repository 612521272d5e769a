// The load generator: keeps N connections busy with echo requests and checks every byte returned.
//
// One thread, one epoll. The load is closed-loop: a connection sends its next message when a
// reply has come back, D messages in flight. Latency is therefore that of a saturated server,
// and comparable only between servers under the same load.
//
// Exit status: 0 when every byte came back right, 1 on a wrong byte or a lost connection, 2 when
// the run could not take place.
#define _GNU_SOURCE
#include "histogram.h"
#include "meter.h"
#include "options.h"
#include "pattern.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    RECEIVE_BYTES = 256 * 1024,
    EVENTS_MAX = 256,
    GREETING_BYTES_MAX = 64,
    GREETING_SECONDS_MAX = 10,
    WAIT_MILLISECONDS = 50,
};
// Without any reply for as long as this, what is still in flight counts as lost.
static const uint64_t stall_nanoseconds_max = 10ull * 1000000000;

struct connection {
    int descriptor;     // -1 once the connection is lost.
    uint32_t stream;    // Which bytes it sends, see pattern.h.
    uint64_t base;      // Bytes of the greeting, which come before the first message.
    uint64_t issued;    // Bytes of all messages begun so far; what isn't sent yet is owed.
    uint64_t sent;
    uint64_t received;
    uint64_t *begun_at; // When the message in each of the pipeline's places was begun.
};

static struct options options;
static struct connection *connections;
static int poller;
static uint8_t input[RECEIVE_BYTES];

static bool is_measuring;
static uint64_t issue_budget = UINT64_MAX; // Messages that may still be begun.
static uint64_t in_flight;                 // Messages begun and not yet returned.
static uint64_t last_reply_at;
static struct histogram latencies;
static uint64_t wrong_bytes, lost_connections;

static _Noreturn void fail(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(2);
}

// ---- Opening ---------------------------------------------------------------------------------

static void lose(struct connection *connection, const char *why) {
    if (connection->descriptor < 0) return;
    if (lost_connections++ == 0)
        fprintf(stderr, "load: connection %u lost: %s\n", connection->stream, why);
    close(connection->descriptor);
    connection->descriptor = -1;
    in_flight -= (connection->issued - connection->received + options.bytes - 1) / options.bytes;
}

// One small echo, blocking. Returns false when it didn't come back.
static bool greet(struct connection *connection) {
    uint32_t bytes = options.bytes < GREETING_BYTES_MAX ? options.bytes : GREETING_BYTES_MAX;
    const uint8_t *greeting = pattern_at(connection->stream, connection->sent);
    if (send(connection->descriptor, greeting, bytes, MSG_NOSIGNAL) != (ssize_t)bytes)
        return false;
    if (recv(connection->descriptor, input, bytes, MSG_WAITALL) != (ssize_t)bytes) return false;
    wrong_bytes += count_wrong_bytes(connection->stream, connection->received, input, bytes);
    connection->sent += bytes;
    connection->received += bytes;
    connection->issued += bytes;
    connection->base += bytes;
    return true;
}

// Each connection is greeted before the next is opened, so the server's accept queue never
// overflows: a dropped SYN would be repeated only after a second.
static void open_connection(struct connection *connection, uint32_t stream) {
    int one = 1;
    struct timeval patience = {.tv_sec = GREETING_SECONDS_MAX};
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) fail("socket (is the limit of open files high enough?)");
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(descriptor, (struct sockaddr *)&options.address, sizeof options.address))
        fail("connect");
    *connection = (struct connection){.descriptor = descriptor, .stream = stream};
    if (!greet(connection)) lose(connection, "the first small message didn't come back");
}

static void open_connections(void) {
    connections = calloc(options.connections, sizeof *connections);
    if (!connections) fail("connection table");
    for (uint32_t index = 0; index < options.connections; index++)
        open_connection(&connections[index], index);
}

// ---- Exchanging ------------------------------------------------------------------------------

static void send_owed(struct connection *connection) {
    while (connection->sent < connection->issued) {
        uint64_t owed = connection->issued - connection->sent;
        size_t bytes = owed < PATTERN_RUN_MAX ? (size_t)owed : PATTERN_RUN_MAX;
        const uint8_t *start = pattern_at(connection->stream, connection->sent);
        ssize_t sent = send(connection->descriptor, start, bytes, MSG_NOSIGNAL);
        if (sent >= 0) {
            connection->sent += (uint64_t)sent;
        } else if (errno == EAGAIN) {
            return; // The socket is full; its edge calls again.
        } else if (errno != EINTR) {
            lose(connection, strerror(errno));
            return;
        }
    }
}

static void begin_messages(struct connection *connection, uint64_t count, uint64_t now) {
    if (count > issue_budget) count = issue_budget;
    issue_budget -= count;
    in_flight += count;
    for (uint64_t left = count; left > 0; left--) {
        uint64_t number = (connection->issued - connection->base) / options.bytes;
        connection->begun_at[number % options.pipeline] = now;
        connection->issued += options.bytes;
    }
    send_owed(connection);
}

// Checks what was received and books the messages it completes. Returns how many those are.
static uint64_t take_reply(struct connection *connection, size_t count, uint64_t now) {
    uint64_t first = (connection->received - connection->base) / options.bytes;
    uint64_t expected = connection->sent - connection->received;
    if (count > expected) {
        wrong_bytes += count - expected;
        lose(connection, "more came back than was sent");
        return 0;
    }
    wrong_bytes += count_wrong_bytes(connection->stream, connection->received, input, count);
    connection->received += count;
    uint64_t end = (connection->received - connection->base) / options.bytes;
    for (uint64_t number = first; is_measuring && number < end; number++)
        record(&latencies, now - connection->begun_at[number % options.pipeline]);
    in_flight -= end - first;
    last_reply_at = now;
    return end - first;
}

static void on_readable(struct connection *connection) {
    // Edge-triggered: a receive that doesn't fill the buffer emptied the socket.
    ssize_t count = RECEIVE_BYTES;
    while (count == RECEIVE_BYTES && connection->descriptor >= 0) {
        count = recv(connection->descriptor, input, RECEIVE_BYTES, 0);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (count <= 0) {
            lose(connection, count == 0 ? "the server closed it" : strerror(errno));
            return;
        }
        uint64_t now = now_nanoseconds();
        uint64_t completed = take_reply(connection, (size_t)count, now);
        if (completed > 0) begin_messages(connection, completed, now);
    }
}

static void on_event(struct connection *connection, uint32_t events) {
    if (connection->descriptor >= 0 && events & EPOLLOUT) send_owed(connection);
    if (connection->descriptor >= 0 && events & EPOLLIN) on_readable(connection);
    // What was received before the end has been taken above.
    if (connection->descriptor >= 0 && events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        lose(connection, "the server closed it");
}

static void exchange(void) {
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(poller, events, EVENTS_MAX, WAIT_MILLISECONDS);
    if (count < 0 && errno != EINTR) fail("epoll_wait");
    for (int index = 0; index < count; index++)
        on_event(events[index].data.ptr, events[index].events);
}

static bool has_stalled(void) {
    return now_nanoseconds() - last_reply_at > stall_nanoseconds_max;
}

static void exchange_until(uint64_t deadline) {
    while (now_nanoseconds() < deadline && in_flight > 0 && !has_stalled()) exchange();
}

static void watch_connection(struct connection *connection) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = connection};
    int descriptor = connection->descriptor;
    connection->begun_at = calloc(options.pipeline, sizeof *connection->begun_at);
    if (!connection->begun_at) fail("pipeline table");
    if (fcntl(descriptor, F_SETFL, O_NONBLOCK)) fail("fcntl");
    if (epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event)) fail("epoll_ctl");
}

static void begin_load(void) {
    last_reply_at = now_nanoseconds();
    for (uint32_t index = 0; index < options.connections; index++) {
        if (connections[index].descriptor < 0) continue;
        begin_messages(&connections[index], options.pipeline, now_nanoseconds());
    }
}

// Every reply is awaited and checked, also those the window's end left in flight.
static void drain(void) {
    issue_budget = 0;
    exchange_until(UINT64_MAX);
    for (uint32_t index = 0; index < options.connections; index++) {
        struct connection *connection = &connections[index];
        if (connection->received != connection->issued) lose(connection, "replies are missing");
    }
}

// ---- The two kinds of run --------------------------------------------------------------------

// Several generators that load one server are told when to begin, so that their windows are one.
static uint64_t warmup_end(void) {
    uint64_t now = now_nanoseconds();
    if (!options.begin_at) return now + (uint64_t)(options.warmup_seconds * 1e9);
    if (options.begin_at > now) return options.begin_at;
    fputs("load: the time of --begin-at passed before all connections were open\n", stderr);
    exit(2);
}

// Warms up, measures the window, drains. A window of `--requests` counts exactly so many: those
// in flight when it begins are among them.
static struct reading run_load(void) {
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0) fail("epoll_create1");
    for (uint32_t index = 0; index < options.connections; index++)
        if (connections[index].descriptor >= 0) watch_connection(&connections[index]);

    bool has_warmup = options.warmup_seconds > 0 || options.begin_at;
    if (has_warmup) {
        begin_load();
        exchange_until(warmup_end());
    }
    struct reading begin = take_reading(&options);
    if (options.requests)
        issue_budget = options.requests > in_flight ? options.requests - in_flight : 0;
    is_measuring = true;
    if (!has_warmup) begin_load();
    exchange_until(options.requests ? UINT64_MAX
                                    : begin.at_nanoseconds + (uint64_t)(options.seconds * 1e9));
    struct reading window = reading_since(take_reading(&options), begin);
    is_measuring = false;
    drain();
    return window;
}

// Holds greeted connections without traffic. The harness measures between the two lines; that
// a connection still serves afterwards shows that it wasn't given up in secret.
static void run_idle(void) {
    puts("idle");
    fflush(stdout);
    struct timespec pause = {.tv_sec = (time_t)options.idle_seconds};
    pause.tv_nsec = (long)((options.idle_seconds - (double)pause.tv_sec) * 1e9);
    nanosleep(&pause, NULL);
    puts("awake");
    fflush(stdout);
    for (uint32_t index = 0; index < options.connections; index++) {
        struct connection *connection = &connections[index];
        if (connection->descriptor >= 0 && !greet(connection))
            lose(connection, "it no longer answered after the pause");
    }
}

static double microseconds(double fraction) {
    return (double)quantile(&latencies, fraction) / 1e3;
}

static void report(struct reading window) {
    double seconds = (double)window.at_nanoseconds / 1e9;
    const char *format =
        options.json
            ? "{\"requests\":%llu,\"seconds\":%.6f,\"requests_per_second\":%.1f,"
              "\"p50_us\":%.1f,\"p99_us\":%.1f,\"p99_9_us\":%.1f,\"max_us\":%.1f,"
              "\"wrong_bytes\":%llu,\"lost_connections\":%llu,\"server_cpu_ns\":%llu,"
              "\"server_user_ns\":%llu,\"server_system_ns\":%llu,\"allocations\":%llu}\n"
            : "requests %llu in %.3f s, %.0f/s\n"
              "latency p50 %.1f us, p99 %.1f us, p99.9 %.1f us, max %.1f us\n"
              "wrong bytes %llu, lost connections %llu\n"
              "server CPU %llu ns (user %llu, system %llu), allocations %llu\n";
    printf(format, (unsigned long long)latencies.count, seconds,
           seconds > 0 ? (double)latencies.count / seconds : 0.0, microseconds(0.5),
           microseconds(0.99), microseconds(0.999), (double)latencies.most / 1e3,
           (unsigned long long)wrong_bytes, (unsigned long long)lost_connections,
           (unsigned long long)window.cpu_nanoseconds,
           (unsigned long long)window.user_nanoseconds,
           (unsigned long long)window.system_nanoseconds, (unsigned long long)window.allocations);
}

int main(int argc, char **argv) {
    options = read_options(argc, argv);
    fill_pattern();
    open_connections();
    struct reading window = {0};
    if (options.idle_seconds > 0) run_idle();
    else window = run_load();
    report(window);
    return wrong_bytes > 0 || lost_connections > 0;
}
