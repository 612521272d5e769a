// A datagram server on recvmmsg(2) and sendmmsg(2), 64 datagrams a call: it answers each datagram whose
// first byte is not zero with the same bytes, and drops the others. The reference of the section `udp`.
#define _GNU_SOURCE
#include "service.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

enum { BATCH = 64, BUFFER_BYTES = 2048, RECEIVE_BUFFER = 4 << 20 };

static struct mmsghdr messages[BATCH], answers[BATCH];
static struct iovec runs[BATCH], answer_runs[BATCH];
static struct sockaddr_in senders[BATCH];
static char buffers[BATCH][BUFFER_BYTES];

static int open_socket(int argc, char **argv) {
    static const struct option names[] = {
        {"host", required_argument, NULL, 'h'}, {"port", required_argument, NULL, 'p'}, {0}};
    struct sockaddr_in address = {.sin_family = AF_INET};
    int option, size = RECEIVE_BUFFER;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (option == 'h' && inet_pton(AF_INET, optarg, &address.sin_addr) == 1) continue;
        if (option == 'p') address.sin_port = htons((uint16_t)atoi(optarg));
    }
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) fail("socket", errno);
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (bind(descriptor, (struct sockaddr *)&address, sizeof address)) fail("bind", errno);
    return descriptor;
}

static int open_termination(void) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    int descriptor = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (descriptor < 0) fail("signalfd", errno);
    return descriptor;
}

static void prepare(void) {
    for (int index = 0; index < BATCH; index++) {
        runs[index] = (struct iovec){buffers[index], BUFFER_BYTES};
        messages[index].msg_hdr = (struct msghdr){.msg_name = &senders[index],
                                                  .msg_namelen = sizeof senders[index],
                                                  .msg_iov = &runs[index],
                                                  .msg_iovlen = 1};
    }
}

static void answer(int descriptor, int count) {
    int wanted = 0;
    for (int index = 0; index < count; index++) {
        messages[index].msg_hdr.msg_namelen = sizeof senders[index];
        if (messages[index].msg_len == 0 || buffers[index][0] == 0) continue;
        answer_runs[wanted] = (struct iovec){buffers[index], messages[index].msg_len};
        answers[wanted].msg_hdr = (struct msghdr){.msg_name = &senders[index],
                                                  .msg_namelen = sizeof senders[index],
                                                  .msg_iov = &answer_runs[wanted],
                                                  .msg_iovlen = 1};
        wanted++;
    }
    for (int sent = 0; sent < wanted;) {
        int result = sendmmsg(descriptor, answers + sent, (unsigned)(wanted - sent), MSG_NOSIGNAL);
        if (result < 0 && errno != EAGAIN && errno != EINTR) fail("sendmmsg", errno);
        if (result > 0) sent += result;
    }
}

int main(int argc, char **argv) {
    int termination = open_termination();
    int descriptor = open_socket(argc, argv);
    prepare();
    announce_ready();
    struct pollfd looks[2] = {{.fd = descriptor, .events = POLLIN}, {.fd = termination, .events = POLLIN}};
    while (1) {
        if (poll(looks, 2, -1) < 0 && errno != EINTR) fail("poll", errno);
        if (looks[1].revents) return 0;
        int count;
        do {
            count = recvmmsg(descriptor, messages, BATCH, MSG_DONTWAIT, NULL);
            if (count < 0 && errno != EAGAIN && errno != EINTR) fail("recvmmsg", errno);
            if (count > 0) answer(descriptor, count);
        } while (count == BATCH);
    }
}
