// What the load generator reads about the server at both ends of the measured window.
//
// It reads them itself because it alone knows, to the microsecond, when the window begins and
// ends; a script beside it would count start-up and connecting as well.
#ifndef LOAD_METER_H
#define LOAD_METER_H

#include "options.h"

#include <stdint.h>

struct reading {
    uint64_t at_nanoseconds;     // Of the monotonic clock.
    uint64_t cpu_nanoseconds;    // User and system time of all the server's threads, exact.
    uint64_t user_nanoseconds;   // Sampled by the kernel's tick: right on average, not per run.
    uint64_t system_nanoseconds; // As above.
    uint64_t allocations;        // Calls of the allocator, see Support/malloc_count.c.
};

uint64_t now_nanoseconds(void);

// Ends the process with status 2 when the server or the counter file isn't there.
struct reading take_reading(const struct options *options);

// The difference of each figure.
struct reading reading_since(struct reading end, struct reading begin);

#endif
