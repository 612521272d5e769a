"""Where a scenario takes place: the machine as it is, or a part of it that is made for the run.

Each place is a context manager. It raises LeftOut when it can't be had here, and what it made is
removed at its end, also after a failure.
"""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from soaking.figures import at_least, equal

NAME = f"uringcore-soak-{os.getpid()}"
CONTROL_GROUPS = Path("/sys/fs/cgroup")
NOBODY = 65534
REMOVAL_SECONDS_MAX = 10


class LeftOut(Exception):
    """A scenario that cannot take place here; the text is a sentence for the reader."""


class Machine:
    """This machine, over loopback."""

    host = "127.0.0.1"
    pins_server = True
    server_wrapper = ()
    client_wrapper = ()

    def __init__(self, options):
        self.options = options
        self.binary = options.uringcore

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        pass

    def figures(self, server):
        """What shows that the place is what it is said to be."""
        return []


class ControlGroup(Machine):
    """A group of version 1 for the server alone."""

    controller = None

    def settings(self):
        """Pairs of file and value, in the order in which they are written."""
        raise NotImplementedError

    def __enter__(self):
        hierarchy = CONTROL_GROUPS / self.controller
        if not os.access(hierarchy / "cgroup.procs", os.W_OK):
            raise LeftOut(f"no group can be made in {hierarchy}: that takes root and control "
                          "groups of version 1.")
        self.folder = hierarchy / NAME
        self.folder.mkdir()
        try:
            for file, value in self.settings():
                (self.folder / file).write_text(value)
        except OSError as error:
            self.remove()
            raise LeftOut(f"the group {self.folder} could not be set up: {error}.") from error
        self.server_wrapper = ("sh", "-c", f'echo $$ > {self.folder}/cgroup.procs && exec "$@"',
                               "sh")
        return self

    def __exit__(self, kind, error, trace):
        self.remove()

    def remove(self):
        deadline = time.monotonic() + REMOVAL_SECONDS_MAX
        while True:
            try:
                self.folder.rmdir()
                return
            except OSError:  # The kernel lets go of a process shortly after its end.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)


class OneCPU(ControlGroup):
    """A cpuset of one CPU. The server isn't pinned otherwise: it has to find out."""

    controller = "cpuset"
    pins_server = False

    def settings(self):
        memory = (CONTROL_GROUPS / "cpuset/cpuset.mems").read_text().strip()
        return (("cpuset.mems", memory), ("cpuset.cpus", str(self.options.server_cpu)))

    def figures(self, server):
        return [equal("shards", server.shards(), 1)]


class HalfQuota(ControlGroup):
    """Half a CPU: 50 of every 100 ms."""

    controller = "cpu"

    def settings(self):
        return (("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", "50000"))

    def figures(self, server):
        lines = (self.folder / "cpu.stat").read_text().splitlines()
        counts = dict(line.split() for line in lines)
        return [equal("shards", server.shards(), 1),
                at_least("periods in which the quota held it up", int(counts["nr_throttled"]), 1,
                         depends_on_time=True)]


class LittleLockedMemory(Machine):
    """A user without rights, whose processes may lock 64 KiB."""

    limit_bytes = 65536

    def __enter__(self):
        if os.geteuid() != 0:
            raise LeftOut("only root may change the user, and root itself is exempt from the "
                          "limit.")
        for tool in ("prlimit", "setpriv"):
            if not shutil.which(tool):
                raise LeftOut(f"{tool} is missing.")
        # Folders above the build may be closed to other users.
        self.folder = tempfile.mkdtemp(prefix=NAME)
        os.chmod(self.folder, 0o755)
        self.binary = Path(shutil.copy(self.options.uringcore, self.folder))
        self.server_wrapper = ("prlimit", f"--memlock={self.limit_bytes}", "setpriv",
                               f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
        return self

    def __exit__(self, kind, error, trace):
        shutil.rmtree(self.folder)


class LossyNetwork(Machine):
    """Two network namespaces and a cable between them that is slow and loses packets."""

    host = "10.117.0.1"
    client_host = "10.117.0.2"
    rate = "200mbit"
    lost_percent = 1

    def __enter__(self):
        if os.geteuid() != 0:
            raise LeftOut("only root may make network namespaces.")
        for tool in ("ip", "tc", "nft"):
            if not shutil.which(tool):
                raise LeftOut(f"{tool} is missing; `scripts/setup soak` installs it.")
        self.server_side, self.client_side = f"{NAME}-server", f"{NAME}-client"
        self.server_wrapper = ("ip", "netns", "exec", self.server_side)
        self.client_wrapper = ("ip", "netns", "exec", self.client_side)
        try:
            self.make()
        except LeftOut:
            self.remove()
            raise
        return self

    def __exit__(self, kind, error, trace):
        self.remove()

    def make(self):
        for side in (self.server_side, self.client_side):
            self.do("ip", "netns", "add", side)
        self.do("ip", "-n", self.server_side, "link", "add", "cable", "type", "veth", "peer",
                "name", "cable", "netns", self.client_side)
        for side, host in ((self.server_side, self.host), (self.client_side, self.client_host)):
            self.do("ip", "-n", side, "address", "add", f"{host}/24", "dev", "cable")
            self.do("ip", "-n", side, "link", "set", "lo", "up")
            self.do("ip", "-n", side, "link", "set", "cable", "up")
            self.do("tc", "-n", side, "qdisc", "add", "dev", "cable", "root", "tbf", "rate",
                    self.rate, "burst", "128kb", "latency", "50ms")
            self.do("ip", "netns", "exec", side, "nft", self.rules())

    def rules(self):
        return ("table inet soak { chain input { type filter hook input priority 0; "
                f"iif cable numgen random mod 100 < {self.lost_percent} counter drop; }}; }}")

    def figures(self, server):
        dropped = 0
        for side in (self.server_side, self.client_side):
            listing = self.do("ip", "netns", "exec", side, "nft", "list", "table", "inet", "soak")
            words = listing.split()
            dropped += int(words[words.index("packets") + 1])
        return [at_least("packets lost on the way", dropped, 1)]

    def do(self, *command):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise LeftOut(f"`{' '.join(command)}` failed: {done.stderr.strip()}.")
        return done.stdout

    def remove(self):
        # The cable goes with the namespaces, and these with their last process.
        for side in (self.server_side, self.client_side):
            subprocess.run(["ip", "netns", "delete", side], capture_output=True)
