#include "pattern.h"

#include <string.h>

enum {
    PERIOD = 65521, // The largest prime below 2^16.
    STRIDE = 7919,  // How far apart two neighbouring streams start; no multiple of the period.
};

static uint8_t table[PERIOD + PATTERN_RUN_MAX];

void fill_pattern(void) {
    uint64_t state = 0x9E3779B97F4A7C15; // xorshift64: any seed but 0; fixed, so runs repeat.
    for (size_t index = 0; index < PERIOD; index++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        table[index] = (uint8_t)(state >> 32);
    }
    for (size_t index = PERIOD; index < sizeof table; index++)
        table[index] = table[index - PERIOD];
}

const uint8_t *pattern_at(uint32_t stream, uint64_t position) {
    return table + (position + (uint64_t)stream * STRIDE) % PERIOD;
}

uint64_t count_wrong_bytes(uint32_t stream, uint64_t position, const uint8_t *bytes, size_t count) {
    const uint8_t *expected = pattern_at(stream, position);
    if (memcmp(bytes, expected, count) == 0) return 0;
    uint64_t wrong = 0;
    for (size_t index = 0; index < count; index++) wrong += bytes[index] != expected[index];
    return wrong;
}
