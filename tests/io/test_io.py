"""Files of tensors: round trips, damage, hostile headers, and files that survive a failed save."""

import errno
import json
import os
import struct

import numpy as np
import pytest

import minigrad as mg
from minigrad import io, nn
from minigrad.errors import CheckpointError, DTypeError
from minigrad.io import npz, safetensors

STATE = {
    "w": np.arange(6, dtype="float32").reshape(2, 3),
    "b": np.array([1.5, -0.0, np.nan, np.inf]),
    "n": np.array(7),
    "empty": np.zeros((0, 3), "float16"),
    "mask": np.array([True, False]),
    "c": np.array([1 + 2j], "complex64"),
    "bytes": np.arange(5, dtype="uint8"),
    "ü.name": np.array([-1], "int16"),
}


def same(got, want):
    assert list(got) == list(want) or set(got) == set(want)
    for name, a in want.items():
        b = got[name].numpy()
        assert b.dtype == a.dtype
        assert b.shape == a.shape
        assert np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")


@pytest.mark.parametrize("ending", [".safetensors", ".npz"])
def test_round_trip(tmp_path, ending):
    path = tmp_path / f"state{ending}"
    io.save(STATE, path)
    got = io.load(path)
    same(got, STATE)
    assert all(isinstance(t, mg.Tensor) and not t.requires_grad for t in got.values())
    got["w"].data[...] = 0  # what is loaded can be written to
    io.save({k: mg.tensor(v) for k, v in STATE.items()}, str(path))
    same(io.load(str(path)), STATE)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    io.save({}, path)
    assert io.load(path) == {}


@pytest.mark.parametrize("ending", [".safetensors", ".npz"])
def test_modules(tmp_path, ending):
    net, other = nn.Linear(3, 2), nn.Linear(3, 2)
    io.save(net, tmp_path / f"net{ending}")
    other.load_state_dict(io.load(tmp_path / f"net{ending}"))
    assert np.array_equal(other.weight.numpy(), net.weight.numpy())


@pytest.mark.parametrize("ending", [".safetensors", ".npz"])
def test_layouts_are_normalised(tmp_path, ending):
    a = np.arange(24, dtype="float32").reshape(4, 6)
    state = {
        "fortran": np.asfortranarray(a),
        "transposed": a.T,
        "strided": a[::2, ::-1],
        "big": a.astype(">f4"),
        "spread": np.broadcast_to(a[:1], (3, 6)),
    }
    io.save(state, tmp_path / f"x{ending}")
    for name, v in io.load(tmp_path / f"x{ending}").items():
        assert np.array_equal(v.numpy(), state[name])
        assert v.numpy().flags.c_contiguous or ending == ".npz"
        assert v.dtype.isnative


def test_bfloat16(tmp_path):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    a = np.array([1.5, 2.5], ml_dtypes.bfloat16)
    io.save({"a": a}, tmp_path / "a.safetensors")
    assert io.load(tmp_path / "a.safetensors")["a"].numpy().tobytes() == a.tobytes()
    with pytest.raises(DTypeError, match="safetensors"):
        io.save({"a": a}, tmp_path / "a.npz")


def test_refused_values(tmp_path):
    for state, words in (
        ({"a": {"b": np.ones(1)}}, "joined|join"),
        ({"a": np.array(["text"])}, "numbers"),
        ({1: np.ones(1)}, "strings"),
        ({"__metadata__": np.ones(1)}, "__metadata__"),
        ({"a": np.ones(1, "complex128")}, "complex128"),
    ):
        with pytest.raises(DTypeError, match=words):
            io.save(state, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match=r"\.safetensors or \.npz"):
        io.save({}, tmp_path / "x.pt")
    with pytest.raises(DTypeError, match="order"):
        io.save("x.npz", tmp_path / "x.npz")
    assert list(tmp_path.iterdir()) == []


def test_metadata(tmp_path):
    path = tmp_path / "x.safetensors"
    safetensors.save({"a": np.ones(2)}, path, metadata={"epoch": "3"}, checksums=False)
    assert safetensors.metadata(path) == {"epoch": "3"}


# -- damage -----------------------------------------------------------------------------------------------------------
def raw_file(path, header, body=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + body)


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


BAD = {
    "empty": (b"", b"", 0, "not valid"),
    "announces too much": ({}, b"", 2**60, "header of"),
    "no json": (b"{nope", b"", None, "not valid"),
    "no utf-8": (b'{"\xff": 1}', b"", None, "not valid"),
    "a list": ([], b"", None, "object"),
    "deep": (b"[" * 100_000, b"", None, "not valid"),
    "twice": (b'{"a": 1, "a": 2}', b"", None, "twice"),
    "NaN": (b'{"a": NaN}', b"", None, "NaN"),
    "entry": ({"a": 3}, b"", None, "a: expected dtype"),
    "more keys": ({"a": {**entry(), "x": 1}}, bytes(8), None, "a: expected dtype"),
    "dtype": ({"a": entry("F33")}, bytes(8), None, "F33"),
    "dtype kind": ({"a": entry(3)}, bytes(8), None, "dtype must"),
    "negative": ({"a": entry(shape=(-2,))}, bytes(8), None, "shape"),
    "bool": ({"a": entry("U8", (True,), (0, 1))}, bytes(1), None, "shape"),
    "float": ({"a": entry(shape=(2.0,))}, bytes(8), None, "shape"),
    "huge": ({"a": entry(shape=(2**62, 2**62))}, bytes(8), None, "needs"),
    "offsets": ({"a": entry(offsets=(8, 0))}, bytes(8), None, "data_offsets"),
    "size": ({"a": entry(offsets=(0, 4))}, bytes(4), None, "needs 8 bytes"),
    "hole": ({"a": entry(), "b": entry(offsets=(12, 20))}, bytes(20), None, "b: a hole"),
    "overlap": ({"a": entry(), "b": entry(offsets=(4, 12))}, bytes(12), None, "b: an overlap"),
    "cut": ({"a": entry()}, bytes(7), None, "cut short"),
    "longer": ({"a": entry()}, bytes(9), None, "has 9"),
    "metadata": ({"__metadata__": {"a": 1}}, b"", None, "__metadata__"),
    "checksums": ({"__metadata__": {"minigrad.crc32": "[["}}, b"", None, "checksums"),
}


@pytest.mark.parametrize("case", BAD)
def test_hostile_files_are_refused(tmp_path, case):
    header, body, length, words = BAD[case]
    path = tmp_path / "bad.safetensors"
    raw_file(path, header, body, length)
    with pytest.raises(CheckpointError, match=words) as caught:
        io.load(path)
    assert "bad.safetensors" in str(caught.value)


def test_every_flipped_byte_of_the_data_is_noticed(tmp_path):
    path = tmp_path / "x.safetensors"
    io.save({"w": np.arange(4.0), "b": np.arange(3)}, path)
    good = path.read_bytes()
    start = 8 + int.from_bytes(good[:8], "little")
    for i in range(start, len(good), 5):
        bad = bytearray(good)
        bad[i] ^= 0x10
        path.write_bytes(bad)
        with pytest.raises(CheckpointError, match=r"(w|b): damaged"):
            io.load(path)


@pytest.mark.parametrize("ending", [".safetensors", ".npz"])
def test_cut_files_are_refused(tmp_path, ending):
    path = tmp_path / f"x{ending}"
    io.save({"w": np.arange(400.0)}, path)
    good = path.read_bytes()
    for n in (0, 1, 7, 8, 20, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:n])
        with pytest.raises(CheckpointError, match="x"):
            io.load(path)


def test_npz_with_objects_is_refused(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "boom"),)

    np.savez(tmp_path / "x.npz", good=np.ones(1), a=np.array([Bomb()], dtype=object))
    np.save(tmp_path / "y.npy", np.ones(1))
    os.rename(tmp_path / "y.npy", tmp_path / "y.npz")
    with pytest.raises(CheckpointError, match=r"a\.npy: damaged"):
        npz.load(tmp_path / "x.npz")
    with pytest.raises(CheckpointError, match=r"y\.npz: damaged"):
        npz.load(tmp_path / "y.npz")
    assert not (tmp_path / "boom").exists()


# -- faults while saving ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("where", ["write", "fsync", "replace"])
@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch, where, fault):
    path = tmp_path / "x.safetensors"
    io.save({"w": np.ones(3)}, path)

    def fail(*args, **kwargs):
        raise fault

    if where == "write":
        monkeypatch.setattr(safetensors, "_bytes", fail)
    else:
        monkeypatch.setattr(os, where, fail)
    with pytest.raises(type(fault)):
        safetensors.save({"w": np.zeros(3)}, path, checksums=False)
    monkeypatch.undo()
    assert io.load(path)["w"].tolist() == [1, 1, 1]
    assert [p.name for p in tmp_path.iterdir()] == ["x.safetensors"]


def test_paths(tmp_path):
    (tmp_path / "d.npz").mkdir()
    with pytest.raises(IsADirectoryError, match="folder"):
        io.save({}, tmp_path / "d.npz")
    with pytest.raises(FileNotFoundError):
        io.save({}, tmp_path / "none" / "x.npz")
    with pytest.raises(FileNotFoundError):
        io.load(tmp_path / "none.npz")
    real, link = tmp_path / "real.npz", tmp_path / "link.npz"
    io.save({"a": np.ones(1)}, real)
    link.symlink_to(real)
    io.save({"a": np.zeros(1)}, link)
    assert link.is_symlink()
    assert io.load(real)["a"].tolist() == [0]
    assert (real.stat().st_mode & 0o777) == 0o666 & ~_umask()


def _umask():
    now = os.umask(0)
    os.umask(now)
    return now


def test_agrees_with_the_safetensors_package(tmp_path):
    theirs = pytest.importorskip("safetensors.numpy")
    state = {k: v for k, v in STATE.items() if k != "c"}
    io.save(state, tmp_path / "ours.safetensors")
    for name, a in theirs.load_file(tmp_path / "ours.safetensors").items():
        assert a.dtype == state[name].dtype
        assert np.array_equal(a, state[name], equal_nan=a.dtype.kind == "f")
    theirs.save_file(state, tmp_path / "theirs.safetensors", metadata={"by": "them"})
    same(io.load(tmp_path / "theirs.safetensors"), state)
    assert safetensors.metadata(tmp_path / "theirs.safetensors") == {"by": "them"}
