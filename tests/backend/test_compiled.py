"""The ground of the kernels in C: finding a compiler, building, the cache, threads, and what happens where any of it fails."""

import os
import pathlib
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
import types
import warnings

import numpy as np
import pytest

import minigrad as mg
from minigrad.backend import compiled
from minigrad.backend.compiled import cache, compiler, forms, library, threads
from minigrad.backend.compiled.compiler import BuildError

ROOT = str(pathlib.Path(mg.__file__).parents[1])


def twice(x):
    """Twice x by the library of the family tiny; None where it is not to be had or refuses."""
    lib = library.load("tiny")
    if lib is None:
        return None
    lib.mg_twice.argtypes = [forms.TYPES["o"]] * 2
    y = np.empty_like(x)
    return None if lib.mg_twice(x, y) else y


def works():
    x = np.arange(1000, dtype="float32")
    y = twice(x)
    return y is not None and np.array_equal(y, 2 * x)


def script(folder, text, **environment):
    """Start a Python process that uses the sources of ``tiny``."""
    head = f"""
        import os, pathlib, sys
        import numpy as np
        from minigrad.backend.compiled import forms, library
        library.SOURCES = pathlib.Path({str(folder)!r})
        def twice(x):
            c = library.load("tiny").mg_twice
            c.argtypes = [forms.TYPES["o"]] * 2
            y = np.empty_like(x)
            assert c(x, y) == 0
            assert np.array_equal(y, 2 * x)
        x = np.arange(100_000, dtype="float32")
    """
    env = {**os.environ, "PYTHONPATH": ROOT, **environment}
    code = textwrap.dedent(head) + textwrap.dedent(text)
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


# -- the good case ----------------------------------------------------------------------------------------------------
def test_a_library_is_built_once_and_belongs_to_the_user_alone(tiny, monkeypatch):
    assert works()
    place = tiny.parent / "cache"
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    made = {p.name: p.stat() for p in place.iterdir()}
    assert all(stat.S_IMODE(s.st_mode) == 0o600 for s in made.values())
    library.forget()
    monkeypatch.setattr(compiler.Compiler, "build", None)  # it is found, not built
    assert works()
    assert {p.name: p.stat().st_mtime_ns for p in place.iterdir()} == {n: s.st_mtime_ns for n, s in made.items()}


def test_the_name_of_a_library_says_what_it_depends_on(tiny, monkeypatch):
    cc = compiler.find()
    names = {library.key("tiny", cc)}
    (tiny / "tiny.c").write_text("// another\n")
    names.add(library.key("tiny", cc))
    (tiny / "maths.h").write_text("// another\n")
    names.add(library.key("tiny", cc))
    names.add(library.key("tiny", compiler.Compiler(cc.command, "another")))
    names.add(library.key("tiny", compiler.Compiler(cc.command, cc.version, ("-O1",))))
    monkeypatch.setattr(compiler, "processor", lambda: "another")
    names.add(library.key("tiny", cc))
    assert len(names) == 6


def test_layouts_and_types_that_c_refuses(tiny):
    x = np.arange(24, dtype="float32").reshape(2, 3, 4)
    raw = np.zeros(97, "uint8")[1:].view("float32").reshape(2, 3, 4)
    raw[...] = x
    assert not raw.flags.aligned
    dense = [x, np.asfortranarray(x), x.transpose(1, 0, 2), x[:1], np.zeros((0, 3), "float32"), np.array(3, "float32")]
    for a in dense:
        a.flags.writeable = False
        y = twice(a)
        assert np.array_equal(y, 2 * a)
    refused = [raw, x.astype(">f4"), x.astype("float64"), x.astype("int32"), x.astype("float16"), x.astype("complex64")]
    refused += [x[:, ::2], x[::-1], x[..., ::-1], np.broadcast_to(x[:, :1], x.shape)]
    for a in refused:
        assert twice(a) is None
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
    (tiny / "tiny.c").write_text((tiny / "tiny.c").read_text().replace("2 *", "TWO *"))
    assert works()


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
    with open(tiny / "tiny.c", "a") as f:
        f.write(body)
    with pytest.warns(RuntimeWarning, match=message):
        assert library.load("tiny") is None
    assert library.state()["tiny"] != "ready"
    assert not list((tiny.parent / "cache").glob("tiny*"))


def test_a_library_that_reads_arrays_wrongly_is_not_used(tiny):
    header = tiny / "kernel.h"
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


# -- the cache --------------------------------------------------------------------------------------------------------
def test_where_the_cache_is(monkeypatch):
    for name in ("MINIGRAD_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/ada")
    assert cache.wished() == pathlib.Path("/home/ada/.cache/minigrad/kernels")
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert cache.wished() == pathlib.Path("/home/ada/.cache/minigrad/kernels")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/ada")
    assert cache.wished() == pathlib.Path("/var/ada/minigrad/kernels")
    monkeypatch.setenv("MINIGRAD_CACHE", "/here")
    assert cache.wished() == pathlib.Path("/here")


def in_private_folder():
    path = pathlib.Path(library.load("tiny")._name)
    return path.parent == cache.private_folder() and stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o720, 0o702])
def test_a_folder_that_others_may_write_to_is_not_used(tiny, mode):
    assert works()
    (tiny.parent / "cache").chmod(mode)
    library.forget()
    assert in_private_folder()


def test_a_folder_below_one_that_others_may_write_to_is_not_used(tiny, monkeypatch):
    open_to_all = tiny.parent / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    monkeypatch.setenv("MINIGRAD_CACHE", str(open_to_all / "cache"))
    assert in_private_folder()
    open_to_all.chmod(0o1777)  # as /tmp: what is mine there stays mine
    library.forget()
    assert not in_private_folder()


@pytest.mark.parametrize("whose", ["cache", "tiny-*.so", "."])
def test_what_belongs_to_another_user_is_not_loaded(tiny, monkeypatch, whose):
    assert works()
    foreign = next((tiny.parent / "cache").glob(whose)) if "*" in whose else (tiny.parent / whose).resolve()
    real = os.lstat

    def lstat(path, **options):
        state = real(path, **options)
        if os.fspath(path) != str(foreign):
            return state
        return os.stat_result([*state[:4], state.st_uid + 1, *state[5:10]])

    monkeypatch.setattr(os, "lstat", lstat)
    library.forget()
    if "*" in whose:  # the folder is the user's, so the file is replaced; as this os.lstat cannot know of it, it is still refused
        with pytest.warns(RuntimeWarning, match="is not to be trusted"):
            assert library.load("tiny") is None
    else:
        assert in_private_folder()


def test_a_file_that_others_may_write_to_is_made_anew(tiny):
    assert works()
    (path,) = (tiny.parent / "cache").glob("tiny-*")
    path.unlink()  # it is loaded, and not to be written to
    path.write_bytes(b"something else")
    path.chmod(0o622)
    library.forget()
    assert works()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_is_not_followed(tiny):
    assert works()
    (path,) = (tiny.parent / "cache").glob("tiny-*")
    elsewhere = tiny.parent / "elsewhere.so"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert not cache.is_trusted(path)
    library.forget()
    assert works()
    assert not path.is_symlink()


def test_a_damaged_library_is_made_anew(tiny):
    library.built("tiny", compiler.find())
    (path,) = (tiny.parent / "cache").glob("tiny-*")
    path.write_bytes(b"\x7fELF rubbish")
    assert works()


def test_a_link_to_the_folder_is_fine(tiny, monkeypatch):
    (tiny.parent / "real").mkdir(mode=0o700)
    (tiny.parent / "link").symlink_to("real")
    monkeypatch.setenv("MINIGRAD_CACHE", str(tiny.parent / "link"))
    assert works()
    assert list((tiny.parent / "real").glob("tiny-*"))


@pytest.mark.parametrize("fault", ["a file", "read-only", "no home"])
def test_without_a_place_a_private_one_is_used(tiny, monkeypatch, fault):
    if fault == "a file":
        (tiny.parent / "cache").write_text("")
    elif fault == "read-only":
        (tiny.parent / "cache").mkdir(mode=0o700)
        real = os.access
        monkeypatch.setattr(os, "access", lambda path, mode: os.fspath(path) != str(tiny.parent / "cache") and real(path, mode))
    else:
        monkeypatch.delenv("MINIGRAD_CACHE")
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setenv("HOME", "/proc/nowhere")
    assert in_private_folder()
    assert works()


def test_a_private_folder_goes_with_its_process(tiny):
    text = """
        from minigrad.backend.compiled import cache
        twice(x)
        print(library.load("tiny")._name)
        child = os.fork()
        if not child:
            sys.exit()  # a child that ends does not take it away
        os.waitpid(child, 0)
        assert pathlib.Path(library.load("tiny")._name).exists()
    """
    process = script(tiny, text, MINIGRAD_CACHE="/proc/nowhere", MINIGRAD_THREADS="1")
    said = process.communicate(timeout=120)[0]
    assert process.returncode == 0, said
    assert "minigrad-" in said
    assert not pathlib.Path(said.strip()).parent.exists()


def test_no_place_at_all(tiny, monkeypatch):
    def full(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.tempfile, "mkdtemp", full)
    with pytest.warns(RuntimeWarning, match="No space left"):
        assert library.load("tiny") is None


def test_processes_that_build_at_once_end_well(tiny):
    running = [script(tiny, "twice(x)") for _ in range(4)]
    for process in running:
        said = process.communicate(timeout=120)[0]
        assert process.returncode == 0, said
    left = sorted(p.name.partition("-")[0] for p in (tiny.parent / "cache").iterdir())
    assert left in (["pool", "tiny"], ["tiny"])


# -- threads ----------------------------------------------------------------------------------------------------------
def test_how_many_threads(monkeypatch):
    for name in ("MINIGRAD_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    if hasattr(os, "sched_getaffinity"):
        assert 1 <= threads.count() <= len(os.sched_getaffinity(0))
    monkeypatch.setenv("OMP_NUM_THREADS", "3,2")
    assert threads.count() == 3
    monkeypatch.setenv("MINIGRAD_THREADS", "5")
    assert threads.count() == 5
    monkeypatch.setenv("MINIGRAD_THREADS", "many")
    assert threads.count() == 3


def test_many_threads_at_once(tiny, monkeypatch):
    """Several of Python's threads on one pool, with launches of all sizes."""
    monkeypatch.setenv("MINIGRAD_THREADS", "4")
    library.load("tiny")
    wrong = []

    def run(seed):
        sizes = np.random.default_rng(seed).integers(1, 3000, 300)
        for n in sizes:
            x = np.full(n, n, "float32")
            if not np.array_equal(twice(x), 2 * x):
                wrong.append(n)

    running = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for t in running:
        t.start()
    for t in running:
        t.join(60)
    assert not wrong


def test_a_forked_process_computes(tiny):
    """The pool begins anew in a child, though the parent's was used; and the parent's goes on."""
    text = """
        import time
        for sleep in (0, 0.1):  # its workers awake, and asleep
            for _ in range(20):
                twice(x)
            time.sleep(sleep)
            child = os.fork()
            for _ in range(20):
                twice(x)
            if not child:
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
    """
    process = script(tiny, text, MINIGRAD_THREADS="3")
    try:
        said = process.communicate(timeout=120)[0]
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        raise
    assert process.returncode == 0, said


def test_a_machine_without_more_threads(tiny):
    text = """
        import resource
        library.load("tiny")
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        if os.geteuid() == 0:
            os.setuid(65534)
        twice(x)
    """
    process = script(tiny, text, MINIGRAD_THREADS="8", MINIGRAD_CACHE=str(tiny.parent / "cache"))
    said = process.communicate(timeout=120)[0]
    assert process.returncode == 0, said


def test_signals_reach_python(tiny, monkeypatch):
    monkeypatch.setenv("MINIGRAD_THREADS", "3")
    assert works()
    seen = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(threading.current_thread()))
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(0.01)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen == [threading.main_thread()]


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
    assert str(tiny.parent / "cache") in text
    monkeypatch.setenv("MINIGRAD_CC", "/nowhere/cc")
    assert "/nowhere/cc" in "\n".join(compiled.report())
    monkeypatch.setenv("MINIGRAD_CC", "0")
    assert "not used" in "\n".join(compiled.report())


def test_building_is_not_warned_of_in_vain(tiny):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert works()


def test_build_error_is_for_inside():
    assert issubclass(BuildError, Exception)
    assert not hasattr(mg.errors, "BuildError")
