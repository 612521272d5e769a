#define _GNU_SOURCE
#include "service.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

// The kernel cuts this down to net.core.somaxconn.
enum { BACKLOG = 4096 };

void fail(const char *what, int error) {
    fprintf(stderr, "%s: %s\n", what, strerror(error));
    exit(1);
}

static struct sockaddr_in read_address(int argc, char **argv) {
    static const struct option names[] = {
        {"host", required_argument, NULL, 'h'}, {"port", required_argument, NULL, 'p'}, {0}};
    struct sockaddr_in address = {.sin_family = AF_INET};
    int option;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (option == 'h' && inet_pton(AF_INET, optarg, &address.sin_addr) == 1) continue;
        if (option == 'p' && atoi(optarg) > 0 && atoi(optarg) < 65536) {
            address.sin_port = htons((uint16_t)atoi(optarg));
            continue;
        }
        fail("--host takes an IPv4 address, --port a number from 1 to 65535", EINVAL);
    }
    if (address.sin_port == 0) fail("--port is required", EINVAL);
    return address;
}

static int listen_at(struct sockaddr_in address, int flags) {
    int one = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (listener < 0) fail("socket", errno);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address)) fail("bind", errno);
    if (listen(listener, BACKLOG)) fail("listen", errno);
    return listener;
}

// A handler that sets a flag would lose the signal that arrives between reading the flag and
// waiting. A descriptor can be waited for like any other.
static int open_termination(void) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    int descriptor = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (descriptor < 0) fail("signalfd", errno);
    return descriptor;
}

struct service open_service(int argc, char **argv, int listener_flags) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit)) fail("getrlimit", errno);
    return (struct service){
        .termination = open_termination(),
        .listener = listen_at(read_address(argc, argv), listener_flags),
        .descriptors = limit.rlim_cur < 1 << 20 ? (int)limit.rlim_cur : 1 << 20,
    };
}

void announce_ready(void) {
    puts("ready");
    fflush(stdout);
}

void disable_nagle(int descriptor) {
    int one = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}
