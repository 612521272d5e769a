#define _GNU_SOURCE
#include "CNUMA.h"

#include <errno.h>
#include <numa.h>
#include <sched.h>
#include <stdlib.h>

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

int cn_pin_to_cpu(int cpu) {
    if (cpu < 0 || cpu >= CN_CPUS_MAX) return -EINVAL;
    cpu_set_t *set = CPU_ALLOC(CN_CPUS_MAX);
    size_t bytes = CPU_ALLOC_SIZE(CN_CPUS_MAX);
    if (set == NULL) return -ENOMEM;
    CPU_ZERO_S(bytes, set);
    CPU_SET_S(cpu, bytes, set);
    int result = sched_setaffinity(0, bytes, set) < 0 ? -errno : 0;
    CPU_FREE(set);
    return result;
}

int cn_current_cpu(void) {
    int cpu = sched_getcpu();
    return cpu < 0 ? -errno : cpu;
}

// numa_available fails where get_mempolicy is denied, as in Docker's default profile: then nothing
// is bound.
int cn_node_of_cpu(int cpu) { return numa_available() < 0 ? -1 : numa_node_of_cpu(cpu); }

void cn_prefer_node(void *base, size_t bytes, int node) {
    if (node >= 0 && numa_available() >= 0) numa_tonode_memory(base, bytes, node);
}
