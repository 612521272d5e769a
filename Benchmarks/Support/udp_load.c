// Sends datagrams in bursts and waits for their answers, so that no kernel's buffer ever overflows: of each
// datagram (`echo`), or of the last of each burst (`oneway`). Prints one JSON object.
//
//   udp_load PORT echo|oneway BYTES BURST DATAGRAMS [SERVER_PID]
//
// A datagram that is not answered within two seconds is lost, and so is what a burst left behind it.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BURST_MAX = 64, BYTES_MAX = 2048, HEAD_BYTES = 8, PATIENCE_MS = 2000 };

static char out[BURST_MAX][BYTES_MAX], in[BURST_MAX][BYTES_MAX];
static struct mmsghdr sending[BURST_MAX], receiving[BURST_MAX];
static struct iovec out_runs[BURST_MAX], in_runs[BURST_MAX];

struct plan {
    int descriptor, is_echo, burst;
    size_t bytes;
    long long datagrams;
};
struct outcome {
    long long sent, lost, wrong;
};

static _Noreturn void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(2);
}

static int open_socket(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int size = 4 << 20;
    if (descriptor < 0) fail("socket");
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address)) fail("connect");
    return descriptor;
}

static void prepare(const struct plan *plan) {
    for (int index = 0; index < BURST_MAX; index++) {
        for (size_t byte = 0; byte < BYTES_MAX; byte++) out[index][byte] = (char)(byte * 7 + 1);
        out_runs[index] = (struct iovec){out[index], plan->bytes};
        in_runs[index] = (struct iovec){in[index], BYTES_MAX};
        sending[index].msg_hdr = (struct msghdr){.msg_iov = &out_runs[index], .msg_iovlen = 1};
        receiving[index].msg_hdr = (struct msghdr){.msg_iov = &in_runs[index], .msg_iovlen = 1};
    }
}

static void send_burst(const struct plan *plan, int count, unsigned number) {
    for (int index = 0; index < count; index++) {
        unsigned own = number + (unsigned)index;
        out[index][0] = plan->is_echo || index == count - 1;
        memcpy(out[index] + 4, &own, sizeof own);
    }
    for (int sent = 0; sent < count;) {
        int result = sendmmsg(plan->descriptor, sending + sent, (unsigned)(count - sent), 0);
        if (result < 0 && errno != EINTR) fail("sendmmsg");
        if (result > 0) sent += result;
    }
}

// An answer has the bytes of what it answers, which is of this burst.
static int is_right(const struct plan *plan, int index, unsigned number, int count) {
    unsigned own;
    if (receiving[index].msg_len != plan->bytes) return 0;
    memcpy(&own, in[index] + 4, sizeof own);
    return own - number < (unsigned)count &&
           memcmp(in[index] + HEAD_BYTES, out[0] + HEAD_BYTES, plan->bytes - HEAD_BYTES) == 0;
}

static void await_answers(const struct plan *plan, int count, unsigned number, struct outcome *outcome) {
    int left = plan->is_echo ? count : 1;
    while (left > 0) {
        struct pollfd look = {.fd = plan->descriptor, .events = POLLIN};
        if (poll(&look, 1, PATIENCE_MS) == 0) {
            outcome->lost += left;
            return;
        }
        int got = recvmmsg(plan->descriptor, receiving, BURST_MAX, MSG_DONTWAIT, NULL);
        if (got < 0 && errno != EAGAIN && errno != EINTR) fail("recvmmsg");
        for (int index = 0; index < got; index++)
            if (!is_right(plan, index, number, count)) outcome->wrong++;
        left -= got > 0 ? got : 0;
    }
}

static double seconds(clockid_t clock) {
    struct timespec now;
    if (clock_gettime(clock, &now)) fail("clock_gettime");
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct outcome run(const struct plan *plan, long long datagrams) {
    struct outcome outcome = {0};
    while (outcome.sent < datagrams) {
        long long left = datagrams - outcome.sent;
        int count = left < plan->burst ? (int)left : plan->burst;
        send_burst(plan, count, (unsigned)outcome.sent);
        await_answers(plan, count, (unsigned)outcome.sent, &outcome);
        outcome.sent += count;
    }
    return outcome;
}

int main(int argc, char **argv) {
    if (argc < 6) {
        fputs("udp_load PORT echo|oneway BYTES BURST DATAGRAMS [SERVER_PID]\n", stderr);
        return 2;
    }
    struct plan plan = {.descriptor = open_socket(atoi(argv[1])),
                        .is_echo = strcmp(argv[2], "echo") == 0,
                        .bytes = (size_t)atoi(argv[3]),
                        .burst = atoi(argv[4]),
                        .datagrams = atoll(argv[5])};
    if (plan.bytes < HEAD_BYTES + 1 || plan.bytes > BYTES_MAX || plan.burst < 1 || plan.burst > BURST_MAX) {
        fputs("a datagram has 9 to 2048 bytes, a burst 1 to 64 datagrams\n", stderr);
        return 2;
    }
    clockid_t server = CLOCK_MONOTONIC;
    if (argc > 6 && (errno = clock_getcpuclockid(atoi(argv[6]), &server)) != 0) fail("the server's clock");
    prepare(&plan);
    run(&plan, plan.burst * 4);
    double begin = seconds(CLOCK_MONOTONIC), cpu_begin = seconds(server);
    struct outcome outcome = run(&plan, plan.datagrams);
    double cpu = seconds(server) - cpu_begin, wall = seconds(CLOCK_MONOTONIC) - begin;
    printf("{\"datagrams\": %lld, \"seconds\": %.6f, \"server_cpu_seconds\": %.6f, \"lost\": %lld, \"wrong\": %lld}\n",
           outcome.sent, wall, argc > 6 ? cpu : 0.0, outcome.lost, outcome.wrong);
    return outcome.lost || outcome.wrong ? 1 : 0;
}
