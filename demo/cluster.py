# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts on one machine: each with its own network, host name, processes, /dev, /etc and /run.

A host is a set of namespaces around one init process. Killing that process ends every process of the host at once,
as a power cut would; the disks are loop devices outside of it and stay. Used by the demo and by tests/e2e.
"""
import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("BSR_BUILD", os.path.join(ROOT, "build"))
TOOLS = [os.path.join(BUILD, part) for part in ("tools/bsradm", "tools/bsrmon", "tools/bsrcon", "tools/bsrsetup", "tools/bsrmeta", "daemon")]

# A private /dev, /etc and /run made of links to the real ones, so that /dev/bsr0, /etc/bsr.conf and /run/bsr are the
# host's own; /var/log, too, and that stays over a power cut.
INIT = r"""
set -e
shopt -s nullglob
base=$1 name=$2
hostname "$name"
mount --make-rprivate /
mount -t proc proc /proc
# copies of what others have mounted would keep their devices in use
while read -r _ where _; do
	case $where in "$base"*) ;; /tmp/*) umount -l "$where" 2>/dev/null || true ;; esac
done < /proc/self/mounts
for dir in dev etc; do
	mkdir -p "$base/real-$dir"
	mount --rbind /$dir "$base/real-$dir"
	mount -t tmpfs -o mode=755 tmpfs /$dir
	ln -s "$base/real-$dir"/* "$base/real-$dir"/.[!.]* /$dir/
done
ln -sfn "$base"/real-dev/loop{0..255} /dev/
rm -f /dev/bsr /dev/bsr[0-9]*	# links to the machine's own, should it have any
rm -rf /etc/bsr.conf /etc/bsr.d && cp -a --remove-destination "$base/etc/." /etc/
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/bsr /mnt
mkdir -p "$base/log/bsr" && mount --bind "$base/log" /var/log
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir -p /mnt/data
ip link set lo up
echo ready > "$base/ready"
exec sleep infinity
"""


def connected(status):
    """Is every connection of a host's `status --json` up?"""
    return all(c["connection-state"] == "Connected" for c in status["connections"])


def in_sync(status):
    """Connected, UpToDate at both ends, and nothing left to copy?"""
    return connected(status) and all(d["disk-state"] == "UpToDate" for d in status["devices"]) and all(
        p["peer-disk-state"] == "UpToDate" and p["replication-state"] == "Established" and p["out-of-sync"] == 0
        for c in status["connections"] for p in c["peer_devices"])


class Failure(Exception):
    """A command failed, or something is not as it must be."""


class Host:
    """One host; start() boots it, power_off() kills it, start() boots it again with the same disks."""

    def __init__(self, cluster, name, index):
        self.cluster = cluster
        self.name = name
        self.index = index
        self.address = f"10.111.{cluster.network}.{index + 1}"
        self.base = os.path.join(cluster.base, name)
        self.netns = f"{cluster.tag}-{name}"
        self.interface = f"v{cluster.tag[-6:]}{index}"
        self.init = None
        self.disks = []
        os.makedirs(os.path.join(self.base, "etc", "bsr.d"))

    # ------------------------------------------------------------- life
    def start(self):
        ready = os.path.join(self.base, "ready")
        if os.path.exists(ready):
            os.unlink(ready)
        command = ["ip", "netns", "exec", self.netns, "unshare", "--mount", "--uts", "--ipc", "--pid", "--fork",
                   "--kill-child", "bash", "-c", INIT, "init", self.base, self.name]
        with open(os.path.join(self.base, "console.log"), "ab") as console:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        try:
            wait_until(lambda: os.path.exists(ready), 60, f"host {self.name} does not boot: see {self.base}/console.log")
        except Failure:
            self.process.kill()  # and by --kill-child all that it started
            raise
        self.init = self._child(self.process.pid)

    @staticmethod
    def _child(pid):
        """Process id (outside) of the init process: the only child chain below ip/unshare."""
        while True:
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
                below = children.read().split()
            with open(f"/proc/{pid}/comm", encoding="ascii") as comm:
                name = comm.read().strip()
            if name not in ("ip", "unshare") or not below:
                return pid
            pid = int(below[0])

    def running(self):
        return self.init is not None

    def power_off(self):
        """Every process of the host dies at once; nothing is flushed, nothing is said."""
        if self.init is None:
            return
        os.kill(self.init, signal.SIGKILL)
        self.process.wait(timeout=30)
        self.init = None

    # ------------------------------------------------------------- commands
    def command(self, argv, env=None):
        """argv as it is run inside of the host."""
        path = ":".join(TOOLS + ["/usr/sbin", "/usr/bin", "/sbin", "/bin"])
        wanted = {name: os.environ[name] for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "BSR_LEAK_CHECK") if name in os.environ}
        assignments = [f"PATH={path}", "HOME=/root", *(f"{k}={v}" for k, v in {**wanted, **(env or {})}.items())]
        return ["nsenter", "--target", str(self.init), "--mount", "--uts", "--ipc", "--net", "--pid",
                "env", "-i", *assignments, *argv]

    def run(self, line, check=True, timeout=60, env=None, stdin=None):
        """Run a shell line on the host; returns the finished process (stdout and stderr as text)."""
        argv = ["bash", "-c", line]
        try:
            done = subprocess.run(self.command(argv, env), capture_output=True, text=True, timeout=timeout,
                                  check=False, input=stdin)
        except subprocess.TimeoutExpired as late:
            raise Failure(f"{self.name}: `{line}` did not end within {timeout} s\n{late.stdout}{late.stderr}") from late
        if check and done.returncode != 0:
            raise Failure(f"{self.name}: `{line}` ended with {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def out(self, line, **kwargs):
        return self.run(line, **kwargs).stdout

    def spawn(self, argv, **kwargs):
        return subprocess.Popen(self.command(argv), **kwargs)

    # ------------------------------------------------------------- storage, configuration
    def add_disk(self, size_bytes, name="disk0"):
        """A loop device over a sparse file; returns its path."""
        path = os.path.join(self.base, name + ".img")
        with open(path, "wb") as image:
            image.truncate(size_bytes)
        device = subprocess.run(["losetup", "--find", "--show", "--direct-io=on", path], check=True,
                                capture_output=True, text=True).stdout.strip()
        self.disks.append(device)
        return device

    def write_config(self, files):
        """files: path below /etc -> text"""
        for path, text in files.items():
            for root in [os.path.join(self.base, "etc")] + ([f"/proc/{self.init}/root/etc"] if self.init else []):
                full = os.path.join(root, path)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                if os.path.islink(full):  # a host's /etc is made of links to the machine's own files
                    os.unlink(full)
                with open(full, "w", encoding="utf-8") as config:
                    config.write(text)

    # ------------------------------------------------------------- state
    def status(self, resource="r0"):
        """The resource as `bsrsetup status --json` shows it, None when there is none."""
        done = self.run(f"bsrsetup status {resource} --json", check=False)
        if done.returncode != 0 or not done.stdout.strip():
            return None
        found = [r for r in json.loads(done.stdout) if r["name"] == resource]
        return found[0] if found else None

    def disk_state(self, resource="r0", volume=0):
        status = self.status(resource)
        return next((d["disk-state"] for d in status["devices"] if d["volume"] == volume), None) if status else None

    def wait_for(self, what, timeout=60, resource="r0"):
        """Wait until what(status) is true; what gets the resource's status."""
        def look():
            status = self.status(resource)
            return status is not None and what(status)
        wait_until(look, timeout, lambda: f"{self.name}: still not so after {timeout} s:\n"
                   + self.run(f"bsrsetup status {resource} --verbose --statistics", check=False).stdout)


class Cluster:
    """Hosts joined by one bridge-less network: a veth pair for two, a bridge for more."""

    def __init__(self, names=("alice", "bob"), keep=False):
        self.tag = f"bsr{os.getpid()}"
        self.network = os.getpid() % 250
        self.base = tempfile.mkdtemp(prefix="bsr-hosts-")
        self.keep = keep
        self.hosts = []
        self.bridge = f"{self.tag}-br"
        self.hosts = [Host(self, name, index) for index, name in enumerate(names)]
        run(["ip", "netns", "add", self.bridge])
        in_bridge = ["ip", "-n", self.bridge]
        run([*in_bridge, "link", "add", "br0", "type", "bridge", "forward_delay", "0"])
        run([*in_bridge, "link", "set", "br0", "up"])
        for host in self.hosts:
            run(["ip", "netns", "add", host.netns])
            run([*in_bridge, "link", "add", host.interface, "type", "veth", "peer", "name", "eth0", "netns", host.netns])
            run([*in_bridge, "link", "set", host.interface, "master", "br0", "up"])
            run(["ip", "-n", host.netns, "addr", "add", f"{host.address}/24", "dev", "eth0"])
            run(["ip", "-n", host.netns, "link", "set", "eth0", "up"])
            run(["ip", "-n", host.netns, "link", "set", "lo", "up"])

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def cut(self, host):
        """Nothing reaches or leaves the host any more; no reset tells anybody."""
        run(["ip", "-n", self.bridge, "link", "set", host.interface, "down"])

    def join(self, host):
        run(["ip", "-n", self.bridge, "link", "set", host.interface, "up"])

    def close(self):
        for host in self.hosts:
            host.power_off()
        for host in self.hosts:
            subprocess.run(["ip", "netns", "del", host.netns], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "del", self.bridge], check=False, capture_output=True)
        for host in self.hosts:
            for device in host.disks:
                wait_until(lambda d=device: subprocess.run(["losetup", "--detach", d], check=False,
                                                           capture_output=True).returncode == 0, 10, None)
        if not self.keep:
            shutil.rmtree(self.base, ignore_errors=True)


def run(argv):
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"`{shlex.join(argv)}` ended with {done.returncode}: {done.stderr}")
    return done.stdout


def wait_until(condition, timeout, failure, interval=0.05):
    """Poll condition() and return what it returns at last; after timeout seconds raise Failure (text or function
    giving it; None: go on)."""
    end = time.monotonic() + timeout
    while not (result := condition()):
        if time.monotonic() > end:
            if failure is None:
                return result
            raise Failure(failure() if callable(failure) else failure)
        time.sleep(interval)
    return result


def resource_config(cluster, disks, resource="r0", volumes=1, net="", disk="", port=7789, extra=""):
    """Text of bsr.d/<resource>.res for hosts with disks[host.name] = [paths]."""
    hosts = []
    for host in cluster.hosts:
        lines = [f"    on {host.name} {{", f"        node-id {host.index};", f"        address {host.address}:{port};"]
        for vnr in range(volumes):
            lines += [f"        volume {vnr} {{", f"            device minor {vnr};",
                      f"            disk {disks[host.name][vnr]};", "            meta-disk internal;", "        }"]
        hosts.append("\n".join(lines + ["    }"]))
    return (f"resource {resource} {{\n    net {{\n        {net}\n    }}\n    disk {{\n        {disk}\n    }}\n{extra}"
            + "\n".join(hosts) + "\n}\n")


GLOBAL_CONFIG = {
    "bsr.conf": 'include "bsr.d/global_common.conf";\ninclude "bsr.d/*.res";\n',
    "bsr.d/global_common.conf": "global { usage-count no; }\ncommon { }\n",
}
