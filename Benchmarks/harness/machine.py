"""The machine in three facts, so that results can be compared without telling where they are
from, and the limit of open files."""

import os
import platform
import resource
from pathlib import Path

DESCRIPTORS = 65536  # 10,000 connections and room to spare, on both sides.


def describe():
    return {"kernel": platform.release().split("-")[0], "cpus": os.cpu_count(),
            "cpu_model": _cpu_model()}


def _cpu_model():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def raise_descriptor_limit():
    """For this process and those it starts. Without root the hard limit is the end."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in ((DESCRIPTORS, max(hard, DESCRIPTORS)), (hard, hard)):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, wanted)
            return
        except (ValueError, PermissionError):
            continue
