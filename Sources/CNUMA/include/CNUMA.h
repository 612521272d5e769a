// CPU affinity and NUMA placement; no logic.
#ifndef CNUMA_H
#define CNUMA_H

#include <stdbool.h>
#include <stddef.h>

enum { CN_CPUS_MAX = 4096 };

/// Fills `cpus` with the CPUs this thread may run on, ascending; returns how many, or -errno.
int cn_allowed_cpus(int *cpus, int capacity);

/// Binds the calling thread to one CPU; 0 or -errno.
int cn_pin_to_cpu(int cpu);

/// Lets the calling thread run on these CPUs only; 0 or -errno.
int cn_run_on_cpus(const int *cpus, int count);

/// The CPU the calling thread runs on now, or -errno.
int cn_current_cpu(void);

/// Names the calling thread, at most 15 bytes.
void cn_name_thread(const char *name);

/// The calling thread's CPU clock (pthread_getcpuclockid(3)), readable by other threads; 0 for none.
int cn_thread_clock(void);

/// What a clock says, in nanoseconds, or -1 when its thread is gone.
long long cn_clock_nanoseconds(int clock);

/// The NUMA node of `cpu`, or -1 when the machine or its policy does not tell.
int cn_node_of_cpu(int cpu);

/// Asks that untouched pages of this range, which begins at a page, come from `node` while it has
/// any; best effort, and silent.
void cn_prefer_node(void *base, size_t bytes, int node);

#endif
