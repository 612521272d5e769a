"""The loads every server is measured under."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    connections: int
    bytes: int
    pipeline: int = 1

    @property
    def name(self):
        size = f"{self.bytes // 1024} KiB" if self.bytes >= 1024 else f"{self.bytes} B"
        deep = f", pipeline {self.pipeline}" if self.pipeline > 1 else ""
        return f"{self.connections} × {size}{deep}"


ROWS = [
    Row(50, 64),         # The plain case: small requests, a few at a time.
    Row(500, 64),        # More connections than buffers: the pool has to hold.
    Row(50, 16 * 1024),  # A message fills a buffer: copying counts.
    Row(50, 64, 16),     # Many messages in one receive: the fixed costs nearly vanish.
]

# Valgrind runs a server some fifty times slower; a small load shows the same instructions.
CALLGRIND_ROW = Row(10, 64)
