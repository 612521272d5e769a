#include "histogram.h"

// Values below 64 have a slot each. Above, the six bits after the leading one choose the step,
// and the number of bits below those chooses the doubling.
static uint32_t slot_of(uint64_t value) {
    if (value < HISTOGRAM_STEPS) return (uint32_t)value;
    uint32_t shift = 63 - (uint32_t)__builtin_clzll(value) - 6;
    return shift * HISTOGRAM_STEPS + (uint32_t)(value >> shift);
}

static uint64_t highest_in(uint32_t slot) {
    if (slot < 2 * HISTOGRAM_STEPS) return slot;
    uint32_t shift = slot / HISTOGRAM_STEPS - 1;
    uint64_t step = HISTOGRAM_STEPS + slot % HISTOGRAM_STEPS;
    return ((step + 1) << shift) - 1;
}

void record(struct histogram *histogram, uint64_t nanoseconds) {
    histogram->slots[slot_of(nanoseconds)]++;
    histogram->count++;
    if (nanoseconds > histogram->most) histogram->most = nanoseconds;
}

uint64_t quantile(const struct histogram *histogram, double fraction) {
    double wanted = fraction * (double)histogram->count;
    uint64_t seen = 0;
    for (uint32_t slot = 0; slot < HISTOGRAM_SLOTS; slot++) {
        seen += histogram->slots[slot];
        if (seen == 0 || (double)seen < wanted) continue;
        // A slot reaches beyond what was recorded in it.
        uint64_t highest = highest_in(slot);
        return highest < histogram->most ? highest : histogram->most;
    }
    return histogram->most;
}
