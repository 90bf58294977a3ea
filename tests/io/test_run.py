"""Whole runs in one file: what comes back, what is refused, damage, and files that mean harm."""

import json
import math
import zlib
from collections import OrderedDict

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.errors import CheckpointError, DTypeError
from minigrad.io import load_run, run, safetensors, save_run
from minigrad.testing.double import put, register

register()


def back(state, tmp_path):
    save_run(state, tmp_path / "run.safetensors")
    return load_run(tmp_path / "run.safetensors")


PLAIN = [
    *({}, [], (), None, True, False, 0, -(2**80), 0.1, -0.0, 5e-324, 1e308, "", "grüße \u2028 \x00 \ud800", math.inf, -math.inf),
    *({"a": [1, (2, [3, ()])]}, {1: "int", -5: None, False: 0}, {"1": "text", "nested": {0: {1: {}}}}, [[[[]]]], [{}, [{}]]),
    # what looks like the marks of the file's own
    *({"$tensor": "x"}, {"$dict": []}, {"$tuple": [1]}, {"$number": "nan"}, {"$tensor": {"$tuple": ()}}, {"$other": 1, "$dict": 2}),
]


@pytest.mark.parametrize("state", PLAIN, ids=repr)
def test_plain_values_come_back_as_they_were(tmp_path, state):
    for tree in (state, {"k": state}, (state, state)):
        got = back(tree, tmp_path)
        assert got == tree
        assert repr(got) == repr(tree)  # the types too, and the sign of zero


def test_nan_and_ordered_dicts(tmp_path):
    got = back({"x": math.nan, "o": OrderedDict(b=1, a=2)}, tmp_path)
    assert math.isnan(got["x"])
    assert list(got["o"].items()) == [("b", 1), ("a", 2)]


def test_tensors_of_all_kinds(tmp_path):
    state = {
        "t": mg.tensor([1.0, 2.0], requires_grad=True),
        "a": [np.arange(6, dtype="int8").reshape(2, 3).T, {"b": np.zeros((0, 2), "float16")}],
        "scalar": np.float32(1.5),
        "flag": np.bool_(True),
        "zero-d": np.array(3, "uint64"),
        "device": put(np.arange(3.0)),
        "strided": np.arange(10.0)[::3],
    }
    got = back(state, tmp_path)
    want = {"t": np.array([1, 2], "float32"), "scalar": np.array(1.5, "float32"), "flag": np.array(True), "zero-d": state["zero-d"]}
    want |= {"device": np.arange(3.0), "strided": state["strided"]}
    for name, a in want.items():
        assert isinstance(got[name], mg.Tensor)
        assert not got[name].requires_grad
        np.testing.assert_array_equal(got[name].numpy(), a, strict=True)
    np.testing.assert_array_equal(got["a"][0].numpy(), state["a"][0], strict=True)
    assert got["a"][1]["b"].shape == (0, 2)


def test_names_that_meet(tmp_path):
    """Different places in the tree may have the same dotted path."""
    state = {
        "a": {"b": np.array(1)},
        "a.b": np.array(2),
        "": np.array(3),
        "value": np.array(4),
        "a.b'": [np.array(5)],
        "__metadata__": np.array(6),
    }
    got = back(state, tmp_path)
    assert [got["a"]["b"].item(), got["a.b"].item(), got[""].item(), got["value"].item(), got["a.b'"][0].item()] == [1, 2, 3, 4, 5]
    assert got["__metadata__"].item() == 6
    assert back(np.array(7), tmp_path).item() == 7
    assert back([np.array(1), {0: np.array(2), "0": np.array(3)}], tmp_path)[1]["0"].item() == 3


def test_a_run_and_what_others_see_of_it(tmp_path):
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    optimizer = optim.Adam(model.named_parameters(), lr=0.1)
    model(mg.ones((4, 3))).sum().backward()
    optimizer.step()
    got = back({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "random": mg.backend.generator().state}, tmp_path)
    for name, t in model.state_dict().items():
        assert np.array_equal(got["model"][name].numpy(), t.numpy())
    optimizer.load_state_dict(got["optimizer"])
    mg.backend.generator().state = got["random"]
    weights = mg.load(tmp_path / "run.safetensors")
    assert {f"model.{name}" for name in model.state_dict()} <= set(weights)
    save_run({"epoch": 2}, tmp_path / "no ending")  # any name will do
    assert load_run(str(tmp_path / "no ending")) == {"epoch": 2}


def loop():
    x = {}
    x["self"] = x
    return x


REFUSED = {
    "a set": ({"a": {"b": [1, {2}]}}, r"a\.b\.1 is a set"),
    "bytes": (b"x", "the top is a bytes"),
    "a function": ({"f": len}, "f is a builtin"),
    "complex": ({"c": 1j}, "c is a complex"),
    "float keys": ({"a": {0.5: 1}}, r"texts or integers, got \['float'\] at a"),
    "tuple keys": ({(1, 2): 1}, "at the top"),
    "texts in an array": ({"a": np.array(["x"])}, "numbers"),
    "objects in an array": ({"a": np.array([None])}, "numbers"),
    "a dtype that cannot be": ({"a": np.zeros(1, "complex128")}, "complex128"),
    "itself": (loop(), "holds itself"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_values_leave_the_old_file(tmp_path, case):
    state, words = REFUSED[case]
    path = tmp_path / "run.safetensors"
    save_run({"epoch": 1}, path)
    with pytest.raises(DTypeError, match=words):
        save_run(state, path)
    assert load_run(path) == {"epoch": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["run.safetensors"]


# -- damage and harm --------------------------------------------------------------------------------------------------
def written(path, tree, tensors=None, version="1", checksum=None):
    """A run whose tree is any text."""
    tensors = tensors or {}
    kinds = [[n, a.dtype.name, list(a.shape)] for n, a in sorted(tensors.items())]
    found = f"{zlib.crc32((tree + json.dumps(kinds)).encode()):08x}" if checksum is None else checksum
    safetensors.save(tensors, path, {"minigrad.run": tree, "minigrad.run.format": version, "minigrad.run.crc32": found})
    return path


def test_written_by_hand(tmp_path):
    assert load_run(written(tmp_path / "x", '{"a":{"$tuple":[1,{"$number":"inf"}]}}')) == {"a": (1, math.inf)}


TREES = {
    "no tree": "{nope",
    "empty": "",
    "deep": "[" * 100_000,
    "deep and closed": "[" * 5_000 + "]" * 5_000,
    "an unknown tensor": '{"$tensor":"w"}',
    "a tensor of no name": '{"$tensor":["w"]}',
    "a tensor of a number": '{"$tensor":{"x":{}}}',
    "a dict of numbers": '{"$dict":[1]}',
    "a dict of nothing": '{"$dict":null}',
    "a list as a key": '{"$dict":[[[],1]]}',
    "a tuple of a number": '{"$tuple":3}',
    "a number of a text": '{"$number":"many"}',
    "a number of a list": '{"$number":[]}',
    "a number too large": '{"$number":1' + "0" * 400 + "}",
    "digits without end": "1" * 100_000,
}


@pytest.mark.parametrize("case", TREES)
def test_hostile_trees_are_refused(tmp_path, case):
    with pytest.raises(CheckpointError, match=r"bad.*the tree of the run is not valid") as caught:
        load_run(written(tmp_path / "bad", TREES[case]))
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("version", ["2", "", "0", "-1", "1.0", "²", "9" * 10_000, " 1"])
def test_other_formats_are_refused(tmp_path, version):
    with pytest.raises(CheckpointError, match=r"format .* of a run; this version reads up to 1: update minigrad") as caught:
        load_run(written(tmp_path / "x", "{}", version=version))
    assert len(str(caught.value)) < 500


def test_other_files_are_refused(tmp_path):
    safetensors.save({"w": np.ones(2)}, tmp_path / "weights.safetensors")
    with pytest.raises(CheckpointError, match=r"no run; read it with mg\.load"):
        load_run(tmp_path / "weights.safetensors")
    mg.save({"w": np.ones(2)}, tmp_path / "w.npz")
    with pytest.raises(CheckpointError, match=r"w\.npz"):
        load_run(tmp_path / "w.npz")
    with pytest.raises(FileNotFoundError):
        load_run(tmp_path / "none")
    for wrong in ("00000000", "", "x"):
        with pytest.raises(CheckpointError, match="CRC-32"):
            load_run(written(tmp_path / "x", '{"epoch":3}', checksum=wrong))
    assert run.FORMAT == 1  # a later format must keep reading this one


STATE = {"model": {"w": np.arange(6, dtype="float32").reshape(2, 3)}, "epoch": 12, "rates": [0.125, (3, None)], "name": "first"}


def test_every_changed_byte_is_noticed(tmp_path):
    """What loads at all is what was saved: in the numbers, in the tree, and in the header between them."""
    path = tmp_path / "run.safetensors"
    save_run(STATE, path)
    good = path.read_bytes()
    harmless = 0
    for i in range(len(good)):
        for change in (1 << (i % 8), 0x20):
            bad = bytearray(good)
            bad[i] ^= change
            path.write_bytes(bad)
            try:
                got = load_run(path)
            except CheckpointError as error:
                assert "run.safetensors" in str(error)  # noqa: PT017
                continue
            harmless += 1  # such as a changed key of the checksums themselves
            np.testing.assert_array_equal(got["model"].pop("w").numpy(), STATE["model"]["w"], strict=True)
            assert got == {**STATE, "model": {}}
    assert harmless < 60


def test_cut_files_are_refused(tmp_path):
    path = tmp_path / "run.safetensors"
    save_run(STATE, path)
    good = path.read_bytes()
    for n in range(0, len(good), 3):
        path.write_bytes(good[:n])
        with pytest.raises(CheckpointError, match=r"run\.safetensors"):
            load_run(path)
    path.write_bytes(good + b"\0")
    with pytest.raises(CheckpointError, match="cut short"):
        load_run(path)
