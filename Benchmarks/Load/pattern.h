// The bytes every connection sends, and the check of what came back.
//
// Byte `position` of connection `stream` is fixed for all time, so a reply can be checked without
// keeping what was sent. All streams walk one table of random bytes whose length is a prime: a
// buffer that comes back twice, late or swapped with its neighbour is off by a multiple of no
// power of two, and a neighbouring connection's bytes come from another place in the table.
#ifndef LOAD_PATTERN_H
#define LOAD_PATTERN_H

#include <stddef.h>
#include <stdint.h>

// As many bytes can be had in one piece from any position.
enum { PATTERN_RUN_MAX = 1 << 20 };

// Call once, before the others.
void fill_pattern(void);

// The bytes of `stream` from `position` on, at least PATTERN_RUN_MAX of them.
const uint8_t *pattern_at(uint32_t stream, uint64_t position);

// How many of `count` (at most PATTERN_RUN_MAX) bytes aren't those of `stream` at `position`.
uint64_t count_wrong_bytes(uint32_t stream, uint64_t position, const uint8_t *bytes, size_t count);

#endif
