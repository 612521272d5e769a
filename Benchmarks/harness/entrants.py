"""Who takes part: one entry a server, and which of them run here."""

import sys
from pathlib import Path

from harness.rows import Row
from harness.servers import HarnessError, RunningServer, Server

RIVALS = Path(__file__).resolve().parent.parent / "Rivals"


def address(port):
    return ["--host", "127.0.0.1", "--port", str(port)]


def all_servers(build, options):
    """The table. The first entry is the reference that every ratio refers to.

    A further server is one more entry: it prints `ready` as a line once it listens, echoes what
    it receives, and ends with status 0 on SIGTERM. A Swift server's static build serves for all
    when it is the only one: a smoke run is spared the others.
    """
    return [
        Server("c-uring", address, build / "echo_uring", uses_io_uring=True),
        Server("c-epoll", address, build / "echo_epoll"),
        *_uringcore(options),
        *_swift_nio(options),
        Server("uvloop", lambda port: [RIVALS / "echo_uvloop.py", *address(port)],
               Path(sys.executable), environment={"PYTHONPATH": str(options.python_packages)},
               # Python's own allocator sits before the one that is counted.
               counts_allocations=False),
    ]


def _uringcore(options):
    rivals = {"callback": "nio-channel", "async": "nio-async"}
    binary = options.uringcore or options.uringcore_static
    for style in options.styles.split(",") if binary else []:
        yield _candidate(f"uringcore-{style}", style, "uring", binary, options, rivals.get(style))
        if style == "callback":
            yield _candidate("uringcore-epoll", style, "epoll", binary, options, "c-epoll")


def _candidate(name, style, backend, binary, options, rival):
    return Server(
        name,
        lambda port: ["echo", *address(port), "--style", style],
        binary,
        static_binary=options.uringcore_static,
        # Valgrind 3.19 crashes in the shared Swift concurrency runtime.
        needs_static_binary=True,
        environment={"URINGCORE_CORES": str(options.server_cpu), "URINGCORE_BACKEND": backend},
        is_candidate=True,
        uses_io_uring=backend == "uring",
        rival=rival,
    )


def _swift_nio(options):
    binary = options.nio or options.nio_static
    if binary is None:
        return
    # What the last one asks for finds Swift's runtime by name and has no effect in a static program.
    for style, static in (("channel", options.nio_static), ("async", options.nio_static),
                          ("async-one-pool", None)):
        if static or options.nio:
            yield Server(
                f"nio-{style}",
                lambda port, style=style: [*address(port), "--style", style, "--threads", "1"],
                binary, static_binary=static, needs_static_binary=True)


def those_that_run(servers, load, options):
    """Returns the servers that echo a few messages and end in order, and why the others don't."""
    running, left_out = [], {}
    for server in servers:
        try:
            with RunningServer(server, cpu=options.server_cpu) as one:
                load.run(one, Row(1, 64), requests=100)
            running.append(server)
        except HarnessError as error:
            options.say(f"Left out: {error}")
            left_out[server.name] = str(error)
    return running, left_out
