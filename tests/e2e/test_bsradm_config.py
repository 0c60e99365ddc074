# SPDX-License-Identifier: GPL-2.0-or-later
"""bsradm: the configuration it reads: dumps, files and includes, hostile input."""

import os
import time
import xml.etree.ElementTree as ElementTree

import pytest

from bsradm_support import EXAMPLE, PLACES, TWO, RICH, uncommented
from conftest import program, run


# --- dump -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [EXAMPLE, TWO, PLACES, RICH])
@pytest.mark.parametrize("options", [(), ("-v",)])
def test_a_dump_is_a_fixed_point(adm, text, options):
    adm.write(text)
    first = adm.plain(*options, "dump")
    assert first.returncode == 0, first.stderr
    adm.write(first.stdout, "again.conf")
    second = adm.plain(*options, "-c", adm.dir / "again.conf", "dump")
    assert second.returncode == 0, second.stderr
    assert uncommented(first.stdout) == uncommented(second.stdout)
    from_stdin = adm.plain(*options, "-c", "-", "dump", answer=first.stdout)
    assert uncommented(from_stdin.stdout) == uncommented(first.stdout)
    assert from_stdin.stdout.startswith("# STDIN\n")


@pytest.mark.parametrize("text", [EXAMPLE, TWO, PLACES, RICH])
def test_a_dump_means_the_same(adm, text):
    adm.write(text)
    before = adm.dry("up", "all")
    adm.write(adm.plain("dump").stdout)
    assert adm.dry("up", "all") == before


def test_dump_of_one_resource(adm):
    adm.write(TWO)
    text = adm.plain("dump", "r1").stdout
    assert "resource r1 {" in text and "resource r0" not in text and "common" not in text


def test_dump_golden(adm):
    adm.write("""resource r1 { device minor 1; disk /dev/sdb1; meta-disk internal; net { shared-secret "a;b"; ping-int 5; }
      on alice { node-id 0; address 10.1.1.1:7; } on bob { node-id 1; address ipv6 [fd01::2]:7; } }""")
    assert adm.plain("dump").stdout == f"""# {adm.conf}
# resource r1 on alice: not ignored, not stacked
# defined at {adm.conf}:1
resource r1 {{
    device               minor 1;
    disk                 /dev/sdb1;
    meta-disk            internal;
    on alice {{
        node-id 0;
        options {{
            node-name    alice;
        }}
        address          ipv4 10.1.1.1:7;
    }}
    on bob {{
        node-id 1;
        address          ipv6 [fd01::2]:7;
    }}
    net {{
        shared-secret    "a;b";
        ping-int           5;
    }}
}}

"""


def test_dump_xml_is_xml(adm):
    adm.write(RICH)
    root = ElementTree.fromstring(adm.plain("dump-xml").stdout)
    assert [r.get("name") for r in root.findall("resource")] == ["a b", "r1", "r2"]
    secret = root.find("common/section[@name='net']/option[@name='shared-secret']")
    assert secret.get("value") == 'a b"c\\d'
    volume = root.find("resource[@name='r1']/host[@name='alice']/volume[@vnr='0']")
    assert volume.find("disk").text == "/dev/sdx" and volume.find("meta-disk").get("index") == "0"


# --- files ----------------------------------------------------------------------------------------------------------

def test_includes_are_relative_to_their_file_and_read_once(adm):
    (adm.dir / "bsr.d").mkdir()
    adm.write('include "bsr.d/global_common.conf"; include "bsr.d/*.res"; include "bsr.d/*.none"; include "bsr.conf";')
    adm.write(EXAMPLE[:EXAMPLE.index("resource")], "bsr.d/global_common.conf")
    adm.write("include \"*.res\"; " + EXAMPLE[EXAMPLE.index("resource"):], "bsr.d/r0.res")
    result = adm.plain("sh-resources")
    assert (result.returncode, result.stdout) == (0, "r0\n"), result.stderr
    result = adm.plain("-E", adm.dir / "bsr.d" / "r0.res", "sh-resources")
    assert (result.returncode, result.stdout) == (0, "")


def test_a_missing_include_is_an_error_where_it_stands(adm):
    adm.write('\n include "nothing.here";\n')
    result = adm.plain("dump")
    assert result.returncode == 10
    assert f"{adm.conf}:2:10: failed to open include file" in result.stderr


def test_no_configuration(adm):
    adm.conf.unlink()
    result = adm.plain("dump")
    assert result.returncode == 10 and f"cannot open {adm.conf}" in result.stderr


def test_the_newest_default_name_wins(adm):
    adm.write(EXAMPLE.replace("resource r0", "resource newer"), "bsr-90.conf")
    assert adm.plain("sh-resources").stdout == "newer\n"


def test_a_second_file_is_tested_together_with_the_first(adm):
    adm.write(EXAMPLE[EXAMPLE.index("resource"):], "test.res")
    result = adm.plain("-t", adm.dir / "test.res", "sh-nop")
    assert result.returncode == 10 and "conflicting use of resource r0" in result.stderr
    assert adm.plain("-t", adm.dir / "test.res", "up", "r0").returncode == 1


def test_a_template_replaces_common(adm):
    adm.write("common { net { ping-int 9; } }", "template.conf")
    adm.write(EXAMPLE.replace("resource r0 {", "resource r0 { template-file \"template.conf\";"))
    assert "--protocol" not in adm.dry("new-peer", "r0")
    assert "--ping-int=9" in adm.dry("new-peer", "r0")


def test_errors_of_included_files_name_them(adm):
    adm.write('include "bad.res";')
    adm.write("resource r0 {\n  volum 0 { }\n}\n", "bad.res")
    result = adm.plain("dump")
    assert result.returncode == 10
    assert f"{adm.dir}/bad.res:2:3: unknown word 'volum'; did you mean 'volume'?" in result.stderr


@pytest.mark.parametrize("content", [b"\0" * 4096, os.urandom(65536), b"{" * 1000000, b'"' * 1000000,
                                     b"include \"*\";" * 10000, b"a" * 5000000],
                         ids=["nul", "noise", "braces", "quotes", "includes", "letters"])
def test_hostile_files_are_refused_quickly(adm, content):
    adm.conf.write_bytes(content)
    start = time.monotonic()
    result = adm.plain("sh-nop")
    assert result.returncode == 10 and result.stderr.count("\n") < 200
    assert time.monotonic() - start < 5


def test_a_directory_is_no_configuration(adm):
    result = adm.plain("-c", adm.dir, "dump")
    assert result.returncode == 10 and "cannot open" in result.stderr


def test_a_pipe_is_a_configuration(adm):
    result = run("bash", "-c", f"{program('bsradm')} -c <(cat {adm.conf}) sh-resources", env=adm.env)
    assert result.stdout == "r0\n", result.stderr
