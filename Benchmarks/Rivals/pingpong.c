// Two threads, one on each CPU, that wake each other by eventfds: the floor for messages between
// cores. `pingpong CPU CPU sleep|spin ROUNDS` prints nanoseconds there and back, the median of 31 batches.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { BATCHES = 31 };

static int ping, pong, rounds;
static bool spins;

static void pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) < 0) perror("sched_setaffinity"), exit(1);
}

// A non-blocking descriptor spins, a blocking one sleeps.
static void take(int descriptor) {
    uint64_t count;
    while (read(descriptor, &count, sizeof count) != sizeof count) {}
}

static void give(int descriptor) {
    uint64_t one = 1;
    if (write(descriptor, &one, sizeof one) != sizeof one) perror("write"), exit(1);
}

static void *answer(void *cpu) {
    pin(*(int *)cpu);
    for (int round = 0; round < rounds * BATCHES; round++) {
        take(ping);
        give(pong);
    }
    return NULL;
}

static int compare(const void *left, const void *right) {
    double difference = *(const double *)left - *(const double *)right;
    return (difference > 0) - (difference < 0);
}

int main(int count, char **words) {
    if (count != 5) {
        fprintf(stderr, "usage: pingpong CPU CPU sleep|spin ROUNDS\n");
        return 64;
    }
    int other = atoi(words[2]);
    spins = strcmp(words[3], "spin") == 0;
    rounds = atoi(words[4]);
    int flags = EFD_CLOEXEC | (spins ? EFD_NONBLOCK : 0);
    ping = eventfd(0, flags);
    pong = eventfd(0, flags);
    pthread_t thread;
    if (pthread_create(&thread, NULL, answer, &other) != 0) return 1;
    pin(atoi(words[1]));
    double batches[BATCHES];
    for (int batch = 0; batch < BATCHES; batch++) {
        struct timespec begin, end;
        clock_gettime(CLOCK_MONOTONIC, &begin);
        for (int round = 0; round < rounds; round++) {
            give(ping);
            take(pong);
        }
        clock_gettime(CLOCK_MONOTONIC, &end);
        batches[batch] =
            ((end.tv_sec - begin.tv_sec) * 1e9 + (end.tv_nsec - begin.tv_nsec)) / rounds;
    }
    pthread_join(thread, NULL);
    qsort(batches, BATCHES, sizeof *batches, compare);
    printf("%.0f\n", batches[BATCHES / 2]);
    return 0;
}
