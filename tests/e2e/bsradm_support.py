# SPDX-License-Identifier: GPL-2.0-or-later
"""A made-up host for bsradm: fake back ends that write down how they were called, and the configurations of many tests."""

from conftest import program, run


EXAMPLE = """
global { usage-count no; disable-ip-verification; }
common {
  net { protocol C; ping-int 7; }
  disk { al-extents 1237; c-max-rate 4M; }
  options { quorum majority; persist-role yes; svc-auto-up no; }
  startup { wfc-timeout 10; }
}
resource r0 {
  device minor 0; disk /dev/sda1; meta-disk internal;
  on alice { node-id 0; address 10.1.1.31:7000; }
  on bob { node-id 1; address 10.1.1.32:7000; }
}
"""

FAKE = """#!/bin/sh
name=$(basename "$0")
echo "$name $*" >> "$FAKE_DIR/calls"
echo "$name BSRMETA_ALLOW_FILES=$BSRMETA_ALLOW_FILES" >> "$FAKE_DIR/env"
if [ "$name" = bsrmeta ]; then command=$5; else command=$1; fi
[ -f "$FAKE_DIR/sleep.$command" ] && exec sleep "$(cat "$FAKE_DIR/sleep.$command")"
[ -f "$FAKE_DIR/out.$command" ] && cat "$FAKE_DIR/out.$command"
[ -f "$FAKE_DIR/rc.$command.$2" ] && exit "$(cat "$FAKE_DIR/rc.$command.$2")"
[ -f "$FAKE_DIR/rc.$command" ] && exit "$(cat "$FAKE_DIR/rc.$command")"
exit 0
"""


class Admin:
    """bsradm on a made-up host, with fake back ends in a directory of its own."""

    def __init__(self, directory):
        self.dir = directory
        self.conf = directory / "bsr.conf"
        self.env = {"__BSR_NODE__": "alice", "FAKE_DIR": str(directory), "BSR_RUN_DIR": str(directory / "run"),
                    "BSR_CONF_DIR": str(directory), "BSR_LOG_DIR": str(directory)}
        for name in ("bsrsetup", "bsrmeta"):
            fake = directory / name
            fake.write_text(FAKE)
            fake.chmod(0o755)
        self.write(EXAMPLE)

    def write(self, text, name="bsr.conf"):
        (self.dir / name).write_text(text)

    def answer(self, command, output=None, code=None, sleep=None):
        for kind, value in (("out", output), ("rc", code), ("sleep", sleep)):
            if value is not None:
                (self.dir / f"{kind}.{command}").write_text(str(value))

    def __call__(self, *words, answer="", env=None, timeout=60):
        return run(program("bsradm"), "-s", self.dir / "bsrsetup", "-m", self.dir / "bsrmeta", *words, answer=answer,
                   env=dict(self.env, **(env or {})), timeout=timeout)

    def plain(self, *words, env=None, answer=""):
        """Without -s and -m: back ends are printed by their usual names."""
        return run(program("bsradm"), *words, env=dict(self.env, **(env or {})), answer=answer)

    def dry(self, *words, env=None):
        result = self.plain("-d", *words, env=env)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def calls(self):
        path = self.dir / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        if path.exists():
            path.unlink()
        return lines


UP = """\
bsrsetup new-resource r0 0 --persist-role=yes --quorum=majority 
bsrsetup node-options r0 --set-defaults --svc-auto-up=no --node-name=alice 
bsrsetup new-minor r0 0 0 
bsrsetup new-peer r0 1 --_name=bob --peer-node-name=bob --protocol=C --ping-int=7 
bsrsetup new-path r0 1 ipv4:10.1.1.31:7000 ipv4:10.1.1.32:7000 1 
bsrsetup peer-device-options r0 1 0 --c-max-rate=4M 
bsrmeta 0 v09 /dev/sda1 internal apply-al 
bsrsetup attach 0 /dev/sda1 /dev/sda1 internal --al-extents=1237 
bsrsetup apply-persist-role r0 
bsrsetup connect r0 1 
"""

# volumes in several places, and one without a disk
PLACES = """
resource slot { device minor 10; disk /dev/sdb1; meta-disk /dev/sdm [0];
  on alice { node-id 0; address ipv6 [fd01::3]:7001; } on bob { node-id 1; address ipv6 [fd01::4]:7001; } }
resource flex { device minor 11; disk /dev/sdb2; meta-disk /dev/sdm2;
  on alice { node-id 0; address 10.1.1.1:7002; } on bob { node-id 1; address 10.1.1.2:7002; } }
resource loop { device minor 12; disk /dev/sdb3; meta-disk /dev/loop3 /etc/bsr.d/meta/a;
  on alice { node-id 0; address 10.1.1.1:7003; } on bob { node-id 1; address 10.1.1.2:7003; } }
resource none { device minor 13; meta-disk internal;
  on alice { node-id 0; address 10.1.1.1:7004; disk none; } on bob { node-id 1; address 10.1.1.2:7004; disk /dev/x; } }
"""

TWO = EXAMPLE + """
resource r1 { device minor 1; disk /dev/sdb1; meta-disk internal;
  on alice { node-id 0; address 10.1.1.31:7001; } on bob { node-id 1; address 10.1.1.32:7001; } }
"""

RICH = """
global { usage-count no; disable-ip-verification; minor-count 64; cmd-timeout-long 700; }
common { net { protocol C; shared-secret "a b\\"c\\\\d"; } disk { c-max-rate 4M; disk-timeout 5; }
  options { quorum majority; svc-auto-up no; } startup { wfc-timeout 10; } handlers { split-brain "/bin/true a b"; } }
resource "a b" { device bsr0; disk "/dev/s d'a1"; meta-disk internal; net { timeout 50; use-rle; no-tcp-cork; }
  options { max-io-depth 100; target-only; } disk { al-extents 1237; al-updates no; }
  on alice al.example.org { node-id 0; address 10.1.1.31:7000; options { svc-auto-down no; } }
  on-linux bob { node-id 1; address 10.1.1.32:7000; public-address 4.4.4.4:4; } }
resource r1 { volume 0 { device minor 10; disk /dev/sdb1; meta-disk /dev/sdm[0]; }
  volume 1 { device /dev/drbd11; disk /dev/sdb2; flexible-meta-disk /dev/sdm2; disk { al-extents 400; } }
  volume 2 { device /dev/bsr_x minor 12; disk /dev/sdb3; meta-disk /dev/loop3 /etc/m; }
  on alice { node-id 0; address ipv6 [fd01::3]:7001; volume 0 { disk /dev/sdx; } }
  on bob { node-id 1; address ipv6 [fd01::4]:7001; volume 1 { disk { al-updates no; } } }
  floating 10.7.7.7:7001 { node-id 2; volume 0 { disk none; } }
  connection { host alice port 7010; host bob port 7011; net { ping-timeout 3; protocol B; }
    volume 1 { disk { c-min-rate 3M; c-plan-ahead 3; } } }
  connection con3 { path { host alice address 10.9.9.1:7020; address 10.7.7.7:7001; }
    path { host alice address 10.9.8.1:7020; address 10.7.7.7:7001; } disk { c-min-rate 2M; } } }
resource r2 { device minor 20; disk /dev/sdc1; meta-disk internal;
  on alice { node-id 0; address 10.1.1.1:7003; } on bob { node-id 1; address 10.1.1.2:7003; }
  on carl { node-id 2; address 10.1.1.3:7003; group g; } on dan { node-id 2; address 10.1.1.3:7003; group g; }
  connection-mesh { hosts alice bob; groups g; net { ko-count 9; } } }
"""


def uncommented(text):
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
