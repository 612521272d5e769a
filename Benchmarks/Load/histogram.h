// A log-linear histogram of nanoseconds: 64 steps to each doubling, so a value is known to 1.6 %.
#ifndef LOAD_HISTOGRAM_H
#define LOAD_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_STEPS = 64, HISTOGRAM_SLOTS = 59 * HISTOGRAM_STEPS };

struct histogram {
    uint64_t slots[HISTOGRAM_SLOTS];
    uint64_t count;
    uint64_t most; // Exact.
};

void record(struct histogram *histogram, uint64_t nanoseconds);

// The value that `fraction` (0 to 1) of the recorded ones don't exceed; 0 when there are none.
uint64_t quantile(const struct histogram *histogram, double fraction);

#endif
