"""Kernels in C: finding a compiler, building, what happens where that fails, and how a form takes its place."""

import os
import pathlib
import stat
import subprocess
import sys
import types

import numpy as np
import pytest

import minigrad as mg
from minigrad.backend import compiled
from minigrad.backend.compiled import compiler, forms, library

ROOT = str(pathlib.Path(mg.__file__).parents[1])


# -- the good case ----------------------------------------------------------------------------------------------------
def test_a_library_is_built_once_and_belongs_to_the_user_alone(tiny, monkeypatch):
    assert tiny.works()
    place = tiny.cache
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    made = {p.name: p.stat() for p in place.iterdir()}
    assert all(stat.S_IMODE(s.st_mode) == 0o600 for s in made.values())
    library.forget()
    monkeypatch.setattr(compiler.Compiler, "build", None)  # it is found, not built
    assert tiny.works()
    assert {p.name: p.stat().st_mtime_ns for p in place.iterdir()} == {n: s.st_mtime_ns for n, s in made.items()}


def test_the_name_of_a_library_says_what_it_depends_on(tiny, monkeypatch):
    cc = compiler.find()
    names = {library.key("tiny", cc)}
    tiny.source.write_text("// another\n")
    names.add(library.key("tiny", cc))
    tiny.source.write_text('// another\n#include "other.h"\n')
    (tiny.sources / "other.h").write_text('#include "kernel.h"\n')
    names.add(library.key("tiny", cc))
    (tiny.sources / "kernel.h").write_text("// another, two steps away\n")
    names.add(library.key("tiny", cc))
    names.add(library.key("tiny", compiler.Compiler(cc.command, "another")))
    names.add(library.key("tiny", compiler.Compiler(cc.command, cc.version, ("-O1",))))
    monkeypatch.setattr(compiler, "processor", lambda: "another")
    names.add(library.key("tiny", cc))
    assert len(names) == 7
    (tiny.sources / "maths.h").write_text("// another, which is not included\n")
    assert library.key("tiny", cc) in names


def test_layouts_and_types_that_c_refuses(tiny):
    x = np.arange(24, dtype="float32").reshape(2, 3, 4)
    raw = np.zeros(97, "uint8")[1:].view("float32").reshape(2, 3, 4)
    raw[...] = x
    assert not raw.flags.aligned
    dense = [x, np.asfortranarray(x), x.transpose(1, 0, 2), x[:1], np.zeros((0, 3), "float32"), np.array(3, "float32")]
    for a in dense:
        a.flags.writeable = False
        y = tiny.twice(a)
        assert np.array_equal(y, 2 * a)
    refused = [raw, x.astype(">f4"), x.astype("float64"), x.astype("int32"), x.astype("float16"), x.astype("complex64")]
    refused += [x[:, ::2], x[::-1], x[..., ::-1], np.broadcast_to(x[:, :1], x.shape)]
    for a in refused:
        assert tiny.twice(a) is None
    lib = library.load("tiny")
    for strange in ([1.0], None, 3, x.view(np.ma.MaskedArray), types.SimpleNamespace(shape=(2, 3, 4))):
        assert lib.mg_twice(strange, np.empty_like(x)) == 1
    for other in (np.empty((2, 12), "float32"), np.empty((2, 3, 5), "float32"), np.empty(24, "float32")):
        assert lib.mg_twice(x, other) == 1


def test_nothing_is_searched_or_built_at_import(tmp_path):
    code = "import minigrad as mg; mg.relu(mg.ones(10))"  # a search would find nothing there, and warn
    env = {**os.environ, "PYTHONPATH": ROOT, "MINIGRAD_CC": "/nowhere/cc", "MINIGRAD_CACHE": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-W", "error", "-c", code], env=env, check=True)
    assert not (tmp_path / "cache").exists()


# -- compilers --------------------------------------------------------------------------------------------------------
def test_off(monkeypatch):
    monkeypatch.setenv("MINIGRAD_CC", "0")
    plain = len
    assert forms.replaced("elementwise", "relu", plain) is plain
    assert not compiler.wanted()


def test_no_compiler_is_no_matter(tiny, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(compiler.importlib.util, "find_spec", lambda name: None)
    assert compiler.find() is None
    assert library.load("tiny") is None  # and no warning, which would be an error here
    assert not (tmp_path / "cache").exists()


def test_the_compiler_that_is_named(tiny, monkeypatch):
    cc = compiler.find()
    monkeypatch.setenv("MINIGRAD_CC", f"{cc.command[0]} -DTWO=2 -O1")
    found = compiler.find()
    assert found.command == cc.command[:1]
    assert found.options == ("-DTWO=2", "-O1")
    tiny.source.write_text(tiny.source.read_text().replace("2 *", "TWO *"))
    assert tiny.works()


def test_the_package_ziglang_is_the_last_resort(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("MINIGRAD_CC", "")
    monkeypatch.setattr(compiler.importlib.util, "find_spec", lambda name: name == "ziglang")
    monkeypatch.setattr(compiler, "run", lambda words, place=None: (0, "clang version 0"))
    assert compiler.find().command[-3:] == ("-m", "ziglang", "cc")


def executable(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return path


VERSION = 'case "$1" in --version) echo broken 1.0;; '
BROKEN = {
    "not there": (None, "is not there"),
    "cannot start": ("exit 7", "does not run"),
    "fails": (VERSION + '*) echo "error: no luck" >&2; exit 1;; esac', "cannot compile tiny.c: error: no luck"),
    "makes nothing": (VERSION + "*) exit 0;; esac", "cannot compile tiny.c"),
    "makes rubbish": (
        VERSION + '*) while [ "$1" != -o ]; do shift; done; echo rubbish > "$2"; chmod +x "$2";; esac',
        "fails its self test",
    ),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_compiler_warns_once(tiny, monkeypatch, tmp_path, how):
    text, message = BROKEN[how]
    path = tmp_path / "broken-cc"
    if text:
        executable(path, text)
    monkeypatch.setenv("MINIGRAD_CC", str(path))
    with pytest.warns(RuntimeWarning, match=message) as seen:
        loaded = [library.load(name) for name in ("tiny", "tiny", "pool")]
    assert loaded == [None] * 3
    assert len(seen) == 1
    assert "\n" not in str(seen[0].message)
    assert not [p for p in (tmp_path / "cache").glob("*") if p.suffix == ".so"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("ENTRY(self_test)(void) { return 5; }", r"fails its self test \(5\)"),
        ("ENTRY(self_test)(void) { *(volatile int *)0 = 1; return 0; }", "fails its self test with signal 11"),
        ("this is no C", "cannot compile tiny.c"),
        ("int nowhere(void);\nENTRY(self_test)(void) { return nowhere(); }", "fails its self test"),
    ],
)
def test_what_fails_its_self_test_is_not_loaded(tiny, body, message):
    with open(tiny.source, "a") as f:
        f.write(body)
    with pytest.warns(RuntimeWarning, match=message):
        assert library.load("tiny") is None
    assert library.state()["tiny"] != "ready"
    assert not list(tiny.cache.glob("tiny*"))


def test_a_library_that_reads_arrays_wrongly_is_not_used(tiny):
    header = tiny.sources / "kernel.h"
    header.write_text(header.read_text().replace("    char *data;\n    int axes;", "    int axes;\n    char *data;"))
    with pytest.warns(RuntimeWarning, match="does not find its way in the arrays of NumPy"):
        assert library.load("tiny") is None


def test_after_a_warning_that_is_an_error_numpy_computes(tiny, monkeypatch, tmp_path):
    monkeypatch.setenv("MINIGRAD_CC", str(tmp_path / "nowhere"))
    form = forms.Form(forms.Declaration("tiny", "twice", "oo", 1, None))
    x = np.ones(3, "float32")
    with pytest.raises(RuntimeWarning):  # warnings are errors here
        form.call(x, x)
    assert form.call(x, x) == 1
    assert form.least == forms.NEVER


def test_a_compiler_that_hangs_is_given_up(tiny, monkeypatch, tmp_path):
    monkeypatch.setattr(compiler, "PATIENCE", 0.2)
    monkeypatch.setenv("MINIGRAD_CC", str(executable(tmp_path / "slow-cc", "exec sleep 60")))
    with pytest.warns(RuntimeWarning, match="timed out"):
        assert library.load("tiny") is None


# -- in their places --------------------------------------------------------------------------------------------------
def test_a_kernel_of_the_users_own_keeps_its_meaning(in_c):
    """A form in C is for minigrad's op, and not for one that happens to have its name."""
    from minigrad.autograd.forms import unary

    mine = unary("gelu", "Another.", lambda g: g, lambda xp: lambda x: x + 1)
    with compiled.everywhere():
        assert np.array_equal(mine(np.ones(3, "float32")), [2, 2, 2])
    assert not in_c
    del mg.autograd.op.registry["gelu"]


def test_on_and_off(in_c):
    x = np.linspace(-1, 1, 9, dtype="float32")
    mg.relu(x)
    assert not in_c["relu"]  # too small
    with compiled.everywhere():
        mg.relu(x)
        assert in_c["relu"] == 1
        with compiled.disabled():
            mg.relu(x)
        mg.relu(x)
        assert in_c["relu"] == 2
    mg.relu(np.zeros(10_000, "float32"))
    assert in_c["relu"] == 3
    assert "relu" in forms.names()


def test_the_report(tiny, monkeypatch):
    library.load("tiny")
    text = "\n".join(compiled.report())
    assert "tiny: ready" in text
    assert str(tiny.cache) in text
    monkeypatch.setenv("MINIGRAD_CC", "/nowhere/cc")
    assert "/nowhere/cc" in "\n".join(compiled.report())
    monkeypatch.setenv("MINIGRAD_CC", "0")
    assert "not used" in "\n".join(compiled.report())
