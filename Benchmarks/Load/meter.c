#define _GNU_SOURCE
#include "meter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t read_clock(clockid_t clock) {
    struct timespec time;
    if (clock_gettime(clock, &time)) {
        perror("load: reading a clock");
        exit(2);
    }
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

uint64_t now_nanoseconds(void) { return read_clock(CLOCK_MONOTONIC); }

static size_t read_file(const char *path, void *content, size_t bytes) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t count = file < 0 ? -1 : read(file, content, bytes);
    if (count < 0) {
        fprintf(stderr, "load: reading %s: %s\n", path, strerror(errno));
        exit(2);
    }
    close(file);
    return (size_t)count;
}

// The process's CPU clock counts nanoseconds and includes threads that have ended, which the sum
// over /proc/PID/task doesn't. Only the split into user and system needs /proc/PID/stat.
static void read_server(int pid, struct reading *reading) {
    clockid_t clock;
    int error = clock_getcpuclockid(pid, &clock);
    if (error) {
        fprintf(stderr, "load: CPU clock of process %d: %s\n", pid, strerror(error));
        exit(2);
    }
    reading->cpu_nanoseconds = read_clock(clock);

    char path[40], text[1024];
    unsigned long long user, system;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    text[read_file(path, text, sizeof text - 1)] = 0;
    // The second field, the name, may hold spaces and parentheses: count from the last one.
    const char *rest = strrchr(text, ')');
    if (!rest || sscanf(rest + 1, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %llu",
                        &user, &system) != 2) {
        fprintf(stderr, "load: %s has no CPU times\n", path);
        exit(2);
    }
    uint64_t tick = 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK);
    reading->user_nanoseconds = user * tick;
    reading->system_nanoseconds = system * tick;
}

struct reading take_reading(const struct options *options) {
    struct reading reading = {.at_nanoseconds = now_nanoseconds()};
    if (options->server_pid) read_server(options->server_pid, &reading);
    if (options->counter_file &&
        read_file(options->counter_file, &reading.allocations, sizeof reading.allocations) !=
            sizeof reading.allocations) {
        fprintf(stderr, "load: %s holds no counter\n", options->counter_file);
        exit(2);
    }
    return reading;
}

struct reading reading_since(struct reading end, struct reading begin) {
    return (struct reading){
        .at_nanoseconds = end.at_nanoseconds - begin.at_nanoseconds,
        .cpu_nanoseconds = end.cpu_nanoseconds - begin.cpu_nanoseconds,
        .user_nanoseconds = end.user_nanoseconds - begin.user_nanoseconds,
        .system_nanoseconds = end.system_nanoseconds - begin.system_nanoseconds,
        .allocations = end.allocations - begin.allocations,
    };
}
