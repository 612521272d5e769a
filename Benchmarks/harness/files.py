"""Reading a file: uringcore's two faces, fio with io_uring, SwiftNIO's NIOFileSystem.

One thread reads for a while, with so many reads always under way; the programs run in turn, and each
ratio is to the fio run of the same round.
"""

import json
import os
import subprocess

from harness.ratios import summarize
from harness.servers import HarnessError

FILE_BYTES = 1 << 30
SMOKE_FILE_BYTES = 64 << 20
# Pattern, bytes a read, reads under way.
SHAPES = (("sequential", 131_072, 1), ("sequential", 131_072, 32),
          ("random", 4_096, 1), ("random", 4_096, 32))
MODES = ("direct", "cached")


def measure(program, nio_program, build, options):
    """Returns a list of {row, programs: {name: figures}}."""
    path = build / "files.data"
    try:
        _make_file(path, SMOKE_FILE_BYTES if options.smoke else FILE_BYTES)
        return [_measure_row(shape, mode, path, program, nio_program, options)
                for mode in MODES for shape in SHAPES]
    finally:
        path.unlink(missing_ok=True)


def _make_file(path, byte_count):
    chunk = os.urandom(1 << 20)
    with open(path, "wb") as file:
        for _ in range(byte_count >> 20):
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def _measure_row(shape, mode, path, program, nio_program, options):
    pattern, byte_count, depth = shape
    row = f"{pattern} {byte_count // 1024} KiB, {depth} under way, {mode}"
    commands = _commands(shape, mode, path, program, nio_program, options)
    runs = {name: [] for name in commands}
    for round_ in range(options.rounds):
        options.say(f"files: {row}, round {round_ + 1} of {options.rounds}")
        if mode == "cached":
            _read_through(path)
        for name, command in commands.items():
            runs[name].append(_figures(name, command, options))
    return {"row": row, "programs": {name: _summary(name, own, runs) for name, own in runs.items()}}


def _commands(shape, mode, path, program, nio_program, options):
    pattern, byte_count, depth = shape
    words = [str(path), pattern, str(byte_count), str(depth), mode, str(options.seconds)]
    commands = {"fio": _fio(shape, mode, path, options)}
    for face in ("callback", "async"):
        commands[f"uringcore-{face}"] = [str(program), words[0], face, *words[1:]]
    if nio_program and mode == "cached":
        commands["nio-file-system"] = [str(nio_program), *words[:4], words[5]]
    return commands


def _fio(shape, mode, path, options):
    pattern, byte_count, depth = shape
    return ["fio", "--name=reads", f"--filename={path}", "--ioengine=io_uring", "--thread=1",
            f"--rw={'randread' if pattern == 'random' else 'read'}", f"--bs={byte_count}",
            f"--iodepth={depth}", f"--direct={1 if mode == 'direct' else 0}", "--norandommap=1",
            "--invalidate=0", "--time_based=1", f"--runtime={options.seconds:g}",
            "--output-format=json"]


def _figures(name, command, options):
    # NIOFileSystem has threads of its own, which one CPU would not do justice.
    pinned = command if name == "nio-file-system" else [
        "taskset", "-c", str(options.server_cpu), *command]
    ended = subprocess.run(pinned, capture_output=True, text=True,
                           timeout=120 + 10 * options.seconds)
    if ended.returncode != 0:
        raise HarnessError(f"{name} ended with status {ended.returncode}: {ended.stderr[-300:]}")
    text = ended.stdout
    if name == "fio":
        read = json.loads(text[text.index("{"):])["jobs"][0]["read"]
        return {"operations_per_second": read["iops"], "bytes_per_second": read["bw_bytes"]}
    own = json.loads(text.strip().splitlines()[-1])
    return {"operations_per_second": own["operations"] / own["seconds"],
            "bytes_per_second": own["bytes"] / own["seconds"]}


def _summary(name, own, runs):
    figures = {key: sorted(run[key] for run in own)[len(own) // 2] for key in own[0]}
    if name != "fio":
        figures["ratio_to_fio"] = _ratio(own, runs["fio"])
    if name.startswith("uringcore") and "nio-file-system" in runs:
        figures["ratio_to_nio"] = _ratio(own, runs["nio-file-system"])
    return figures


def _ratio(own, others):
    return summarize([mine["operations_per_second"] / other["operations_per_second"]
                      for mine, other in zip(own, others)])


def _read_through(path):
    with open(path, "rb") as file:
        while file.read(1 << 20):
            pass
