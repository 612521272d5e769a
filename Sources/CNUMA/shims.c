#define _GNU_SOURCE
#include "CNUMA.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <numa.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int cn_allowed_cpus(int *cpus, int capacity) {
    cpu_set_t *set = CPU_ALLOC(CN_CPUS_MAX);
    size_t bytes = CPU_ALLOC_SIZE(CN_CPUS_MAX);
    if (set == NULL) return -ENOMEM;
    CPU_ZERO_S(bytes, set);
    if (sched_getaffinity(0, bytes, set) < 0) {
        CPU_FREE(set);
        return -errno;
    }
    int count = 0;
    for (int cpu = 0; cpu < CN_CPUS_MAX && count < capacity; cpu++)
        if (CPU_ISSET_S(cpu, bytes, set)) cpus[count++] = cpu;
    CPU_FREE(set);
    return count;
}

int cn_run_on_cpus(const int *cpus, int count) {
    cpu_set_t *set = CPU_ALLOC(CN_CPUS_MAX);
    size_t bytes = CPU_ALLOC_SIZE(CN_CPUS_MAX);
    if (set == NULL) return -ENOMEM;
    CPU_ZERO_S(bytes, set);
    int result = 0;
    for (int i = 0; i < count; i++) {
        if (cpus[i] < 0 || cpus[i] >= CN_CPUS_MAX) result = -EINVAL;
        else CPU_SET_S(cpus[i], bytes, set);
    }
    if (result == 0 && sched_setaffinity(0, bytes, set) < 0) result = -errno;
    CPU_FREE(set);
    return result;
}

int cn_pin_to_cpu(int cpu) { return cn_run_on_cpus(&cpu, 1); }

int cn_current_cpu(void) {
    int cpu = sched_getcpu();
    return cpu < 0 ? -errno : cpu;
}

void cn_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

int cn_thread_clock(void) {
    clockid_t clock;
    int failure = pthread_getcpuclockid(pthread_self(), &clock);
    return failure != 0 ? 0 : clock;
}

long long cn_clock_nanoseconds(int clock) {
    struct timespec time;
    if (clock == 0 || clock_gettime(clock, &time) < 0) return -1;
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

// numa_available fails where get_mempolicy is denied, as in Docker's default profile: then nothing
// is bound.
int cn_node_of_cpu(int cpu) { return numa_available() < 0 ? -1 : numa_node_of_cpu(cpu); }

// mbind(2) itself, because numa_tonode_memory prints to standard error where that is denied, and binds
// strictly: with a node's memory used up the process would be killed instead of served from another.
void cn_prefer_node(void *base, size_t bytes, int node) {
    enum { word_bits = 8 * sizeof(unsigned long), nodes_max = 1024 };
    unsigned long nodes[nodes_max / word_bits] = {0};
    if (node < 0 || node >= nodes_max) return;
    nodes[node / word_bits] = 1UL << (node % word_bits);
    // The kernel reads one bit less than it is told of.
    syscall(SYS_mbind, base, bytes, MPOL_PREFERRED, nodes, nodes_max + 1UL, 0UL);
}
