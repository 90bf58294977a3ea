"""The cache of compiled libraries: where it is, who is trusted, and what happens where there is none."""

import os
import pathlib
import stat

import pytest

from minigrad.backend.compiled import cache, compiler, library


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
    assert tiny.works()
    tiny.cache.chmod(mode)
    library.forget()
    assert in_private_folder()


def test_a_folder_below_one_that_others_may_write_to_is_not_used(tiny, monkeypatch):
    open_to_all = tiny.place / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    monkeypatch.setenv("MINIGRAD_CACHE", str(open_to_all / "cache"))
    assert in_private_folder()
    open_to_all.chmod(0o1777)  # as /tmp: what is mine there stays mine
    library.forget()
    assert not in_private_folder()


@pytest.mark.parametrize("whose", ["cache", "tiny-*.so", "."])
def test_what_belongs_to_another_user_is_not_loaded(tiny, monkeypatch, whose):
    assert tiny.works()
    foreign = next(tiny.cache.glob(whose)) if "*" in whose else (tiny.place / whose).resolve()
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
    assert tiny.works()
    path = tiny.made()
    path.unlink()  # it is loaded, and not to be written to
    path.write_bytes(b"something else")
    path.chmod(0o622)
    library.forget()
    assert tiny.works()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_is_not_followed(tiny):
    assert tiny.works()
    path = tiny.made()
    elsewhere = tiny.place / "elsewhere.so"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert not cache.is_trusted(path)
    library.forget()
    assert tiny.works()
    assert not path.is_symlink()


def test_a_damaged_library_is_made_anew(tiny):
    library.built("tiny", compiler.find())
    path = tiny.made()
    path.write_bytes(b"\x7fELF rubbish")
    assert tiny.works()


def test_a_link_to_the_folder_is_fine(tiny, monkeypatch):
    (tiny.place / "real").mkdir(mode=0o700)
    (tiny.place / "link").symlink_to("real")
    monkeypatch.setenv("MINIGRAD_CACHE", str(tiny.place / "link"))
    assert tiny.works()
    assert list((tiny.place / "real").glob("tiny-*"))


@pytest.mark.parametrize("fault", ["a file", "read-only", "no home"])
def test_without_a_place_a_private_one_is_used(tiny, monkeypatch, fault):
    if fault == "a file":
        tiny.cache.write_text("")
    elif fault == "read-only":
        tiny.cache.mkdir(mode=0o700)
        real = os.access
        monkeypatch.setattr(os, "access", lambda path, mode: os.fspath(path) != str(tiny.cache) and real(path, mode))
    else:
        monkeypatch.delenv("MINIGRAD_CACHE")
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setenv("HOME", "/proc/nowhere")
    assert in_private_folder()
    assert tiny.works()


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
    said = tiny.run(text, MINIGRAD_CACHE="/proc/nowhere", MINIGRAD_THREADS="1")
    assert "minigrad-" in said
    assert not pathlib.Path(said.strip()).parent.exists()


def test_no_place_at_all(tiny, monkeypatch):
    def full(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.tempfile, "mkdtemp", full)
    with pytest.warns(RuntimeWarning, match="No space left"):
        assert library.load("tiny") is None


def test_processes_that_build_at_once_end_well(tiny):
    running = [tiny.start("twice(x)") for _ in range(4)]
    for process in running:
        said = process.communicate(timeout=120)[0]
        assert process.returncode == 0, said
    left = sorted(p.name.partition("-")[0] for p in tiny.cache.iterdir())
    assert left in (["pool", "tiny"], ["tiny"])
