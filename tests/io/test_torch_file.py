"""PyTorch's files without PyTorch: files that version 2.13 wrote (in ``data/``), and files that mean harm."""

import io
import pathlib
import random
import struct
import sys
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import CheckpointError
from minigrad.io import load_torch, torch_file, unpickling

DATA = pathlib.Path(__file__).parent / "data"
BASE = np.arange(6, dtype="float32").reshape(2, 3)
TENSORS = {
    "float32": BASE,
    "float64": np.array([0.5, -0.25]),
    "float16": np.array([1.5, -2.0], "float16"),
    "int64": np.array([1, -2, 3]),
    "int32": np.array([4, -5], "int32"),
    "int16": np.array([6, -7], "int16"),
    "int8": np.array([8, -9], "int8"),
    "uint8": np.array([250, 1], "uint8"),
    "bool": np.array([True, False]),
    "complex64": np.array([1 + 2j], "complex64"),
    "complex128": np.array([3 - 4j]),
    "conj": np.array([1 - 2j], "complex64"),
    "neg": np.array([-2], "float32"),
    "uint16": np.array([65535, 1], "uint16"),
    "uint32": np.array([2**32 - 1], "uint32"),
    "uint64": np.array([7], "uint64"),
    "scalar": np.array(2.5, "float32"),
    "empty": np.zeros((0, 3), "float32"),
    "transposed": BASE.T,
    "row": BASE[1],
    "strided": np.arange(10, dtype="float32")[1::3],
    "window": np.arange(4, 8, dtype="float32"),
    "expanded": np.full((2, 4), 3, "float32"),
    "permuted": np.arange(24, dtype="float32").reshape(2, 3, 4).transpose(2, 0, 1),
}


def same(t, a):
    assert isinstance(t, mg.Tensor)
    assert not t.requires_grad
    assert t.dtype == a.dtype
    assert t.dtype.isnative
    np.testing.assert_array_equal(t.numpy(), a, strict=True)


# -- files that PyTorch 2.13 wrote ------------------------------------------------------------------------------------
def test_tensors_of_every_kind():
    got = load_torch(DATA / "tensors.pt")
    assert list(got) == list(TENSORS)
    for name, a in TENSORS.items():
        same(got[name], a)


def test_storages_are_shared_as_they_were():
    got = load_torch(DATA / "tensors.pt")
    got["float32"].data[1, 2] = -1
    assert got["transposed"].numpy()[2, 1] == got["row"].numpy()[2] == -1
    assert not np.shares_memory(got["float32"].numpy(), got["window"].numpy())
    assert not got["expanded"].numpy().flags.writeable  # its elements are one


def test_half_precisions(monkeypatch):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    got = load_torch(DATA / "half.pt")
    for name, kind in (("bfloat16", "bfloat16"), ("e4m3", "float8_e4m3fn"), ("e5m2", "float8_e5m2")):
        assert got[name].dtype == getattr(ml_dtypes, kind)
        assert got[name].numpy().astype("float32").tolist() == [1.5, -2]
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with pytest.raises(ImportError, match=r"half\.pt.*bfloat16 needs the package ml_dtypes"):
        load_torch(DATA / "half.pt")


def test_a_whole_checkpoint():
    got = mg.load(DATA / "checkpoint.pt")
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    model.load_state_dict(got["model"])
    assert model[0].weight.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert model[1].running_mean.tolist() == [0.5, 1, 1.5]
    assert model[1].num_batches_tracked.item() == 7
    state, (group,) = got["optimizer"]["state"], got["optimizer"]["param_groups"]
    assert list(state) == [0, 1, 2, 3] == group["params"]
    np.testing.assert_allclose(state[2]["exp_avg"].numpy(), 0.1)
    assert (group["lr"], group["betas"], group["amsgrad"], group["fused"]) == (0.25, (0.9, 0.999), False, None)
    assert (got["epoch"], got["best"], got["name"], got["big"], got[7]) == (3, 0.125, "größe", 2**70, "seven")
    assert got["flags"] == [True, False, None]
    assert got["pair"] == (1, (2.0, "three"))
    assert (got["size"], got["device"], got["cpu"], got["dtype"]) == ((2, 3), "cuda:1", "cpu", "bfloat16")
    assert list(got["ordered"].items()) == [("b", 1), ("a", 2)]
    assert got["long"] == list(range(300))
    assert [p.tolist() for p in got["parameters"]] == [[5], [1, 2], [1, 2]]
    assert np.shares_memory(got["parameters"][1].numpy(), got["parameters"][2].numpy())


def test_the_layout_before_the_zip():
    got = load_torch(DATA / "legacy.pt")
    same(got["w"], BASE)
    same(got["t"], BASE.T)
    assert np.shares_memory(got["w"].numpy(), got["t"].numpy())
    same(got["b"], np.array([1, 2]))
    same(got["h"], np.array([1.5], "float16"))
    same(got["p"], np.array([9], "float32"))
    assert (got["n"], got["s"]["x"].item()) == (3, 4)


@pytest.mark.parametrize("name", ["protocol5.pth", "unchecked.pt"])
def test_other_ways_to_write(name):
    for t in mg.load(str(DATA / name)).values():
        same(t, np.array([1, 2], "float32"))


def test_a_module_is_refused():
    with pytest.raises(CheckpointError, match=r"module\.pt.*torch\.nn\.modules\.linear\.Linear.*state_dict\(\)"):
        mg.load(DATA / "module.pt")


def test_writing_is_refused(tmp_path):
    for name in ("x.pt", "x.pth"):
        with pytest.raises(ValueError, match=r"only read.*x\.pth?.*\.safetensors or \.npz"):
            mg.save({"w": mg.zeros(1)}, tmp_path / name)
    assert not list(tmp_path.iterdir())


# -- files made by hand -----------------------------------------------------------------------------------------------
def text(s):
    return b"X" + struct.pack("<I", len(s.encode())) + s.encode()


def number(n):
    if not isinstance(n, int) or isinstance(n, bool):
        return b"\x88" if n is True else b"G" + struct.pack(">d", n)
    raw = n.to_bytes(n.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def numbers(ns):
    return b"(" + b"".join([number(n) for n in ns]) + b"t"


def storage(key="0", kind="torch\nFloatStorage", count=2, what="storage"):
    return b"(" + text(what) + b"c" + kind.encode() + b"\n" + text(key) + text("cpu") + number(count) + b"tQ"


def tensor(of=None, offset=0, size=(2,), stride=(1,), more=b"", call="_rebuild_tensor_v2"):
    body = (storage() if of is None else of) + number(offset) + numbers(size) + numbers(stride) + b"\x89"
    return b"ctorch._utils\n" + call.encode() + b"\n(" + body + b"ccollections\nOrderedDict\n)R" + more + b"tR"


TWO = np.array([1, 2], "<f4").tobytes()
GOOD = {"byteorder": b"little", "data/0": TWO, "version": b"3\n"}


def archive(path, body, records=GOOD, packing=zipfile.ZIP_STORED, root="archive/"):
    with zipfile.ZipFile(path, "w", packing) as z:
        for name, data in ({"data.pkl": b"\x80\x02" + body + b"."} | records).items():
            z.writestr(root + name, data)
    return path


def test_made_by_hand(tmp_path):
    path = tmp_path / "x.pt"
    same(load_torch(archive(path, tensor())), np.array([1, 2], "float32"))
    same(load_torch(archive(path, tensor(), root="other/")), np.array([1, 2], "float32"))
    big = {"byteorder": b"big", "data/0": np.array([1, 2], ">f4").tobytes()}
    same(load_torch(archive(path, tensor(), big)), np.array([1, 2], "float32"))
    same(load_torch(archive(path, tensor(), {"data/0": TWO})), np.array([1, 2], "float32"))
    same(load_torch(archive(path, tensor(size=(2, 1), stride=(1, 2**70)))), np.array([[1], [2]], "float32"))
    old = b"ccollections\nOrderedDict\n]]" + text("a") + number(1) + b"\x86aa\x85R"  # as Python 2 wrote it
    assert load_torch(archive(path, old.replace(b"]]", b"]").replace(b"\x86aa", b"\x86a"))) == {"a": 1}
    assert load_torch(archive(path, b"K\x01r\xff\xff\xff\xff0j\xff\xff\xff\xff".replace(b"0j", b"\x85j") + b"\x86")) == ((1,), 1)


def nested(depth, what=b"]"):
    return what * depth + {b"]": b"a"}[what] * (depth - 1)


def laughs(depth=60):
    """A tuple that holds a tuple twice, which holds a tuple twice, ..."""
    return b")" + b"".join([b"q" + bytes([i]) + b"h" + bytes([i]) + b"\x86" for i in range(depth)])


HOSTILE = {
    "a command": (b"cos\nsystem\n" + text("touch boom") + b"\x85R", r"os\.system.*nothing was executed"),
    "a command by protocol 4": (text("builtins") + text("eval") + b"\x93" + text("1") + b"\x85R", r"builtins\.eval"),
    "a name of parts": (text("os.path") + b")\x93", "as a name"),
    "a command by instance": (b"(" + text("touch boom") + b"ios\nsystem\n", "opcode INST"),
    "a command by object": (b"(cos\nsystem\n" + text("x") + b"o", r"os\.system"),
    "new object": (b"ctorch\nSize\n)\x81", "opcode NEWOBJ"),
    "extension": (b"\x82\x01", "opcode EXT1"),
    "bytes": (b"C\x01a", "opcode SHORT_BINBYTES"),
    "decimal": (b"I1\n", "opcode INT"),
    "a quantized tensor": (b"ctorch._utils\n_rebuild_qtensor\n", "_rebuild_qtensor"),
    "a long name": (b"c" + b"a" * 10**6 + b"\nb\n", "refers to aaa"),
    "call of a kind": (b"ctorch\nFloatStorage\n)R", "a call of FloatStorage"),
    "call of a text": (text("x") + b")R", "a call of 'x'"),
    "call without a tuple": (b"ctorch\nSize\n]R", "a call of torch.Size"),
    "arguments": (b"ctorch._utils\n_rebuild_tensor_v2\n)R", "TypeError"),
    "beyond the end": (tensor(offset=1), "data/0: a tensor reaches to element 3 of a storage of 2"),
    "beyond by stride": (tensor(stride=(2,)), "element 3"),
    "beyond by size": (tensor(size=(2**62, 2**62), stride=(1, 2**62)), "reaches to element"),
    "beyond with one element": (tensor(offset=2, size=(), stride=()), "element 3"),
    "no elements, but many": (tensor(size=(2**62, 0), stride=(1, 1)), "damaged"),
    "negative stride": (tensor(offset=1, stride=(-1,)), "do not make sense"),
    "negative size": (tensor(size=(-2,)), "do not make sense"),
    "negative offset": (tensor(offset=-1), "do not make sense"),
    "fractions": (tensor(size=(2.0,)), "do not make sense"),
    "a truth": (tensor(size=(True,)), "do not make sense"),
    "ranks differ": (tensor(size=(2, 1)), "do not make sense"),
    "many axes": (tensor(size=(1,) * 65, stride=(1,) * 65), "do not make sense"),
    "over a text": (tensor(of=text("x")), "a tensor over 'x'"),
    "unknown metadata": (tensor(more=b"}" + text("magic") + b"\x88s"), "'magic'"),
    "dtype is a list": (tensor(more=b"]", call="_rebuild_tensor_v3"), "list is no dtype"),
    "dtype is not known": (tensor(more=text("object"), call="_rebuild_tensor_v3"), "'object' is no dtype"),
    "no record": (tensor(of=storage("7")), "data/7 is missing"),
    "a path": (tensor(of=storage("../byteorder")), "missing"),
    "too many elements": (tensor(of=storage(count=3)), "data/0 has 8 bytes, 3 elements of float32 need 12"),
    "too few elements": (tensor(of=storage(count=1)), "need 4"),
    "negative elements": (tensor(of=storage(count=-1)), "-1 elements"),
    "endless elements": (tensor(of=storage(count=2**500)), "elements"),
    "another kind": (tensor(of=storage(kind="torch\nDoubleStorage")), "need 16"),
    "a kind that is none": (tensor(of=storage(kind="torch\nSize")), "no storage known here"),
    "a module as storage": (tensor(of=storage(what="module")), "no storage known here"),
    "persistent of a text": (text("abc") + b"Q", "damaged"),
    "persistent of laughs": (b"(" + laughs() + text("a") + laughs() + laughs() + laughs() + b"tQ", "no storage known here"),
    "laughs as a size": (tensor().replace(numbers((2,)), laughs()), "do not make sense"),
    "laughs as a key": (b"}" + laughs() + b"K\x01s", "a tuple as a key"),
    "a list as a key": (b"}]K\x01s", "a list as a key"),
    "laughs as a device": (b"ctorch\ndevice\n" + laughs() + b"\x85R", "a device tuple"),
    "pairs that are none": (b"ccollections\nOrderedDict\n](K\x01K\x02e\x85R", "damaged"),
    "items of a list": (b"]K\x01K\x02s", "a list where a dict"),
    "odd items": (b"}(K\x01u", "damaged"),
    "append to a dict": (b"}K\x01a", "a dict where a list"),
    "attributes of a list": (b"]}b", "a list where a dict"),
    "nothing on the stack": (b"0", "opcode POP"),
    "a tuple of nothing": (b"\x87", "the stack is empty"),
    "no mark": (b"t", "damaged"),
    "no memo": (b"h\x05", "damaged"),
    "two values": (b"K\x01K\x02", "damaged"),
    "no value": (b"", "damaged"),
    "an open mark": (b"(", "damaged"),
    "no opcode": (b"\xff", "damaged"),
    "no end": (b"X\xff\xff\xff\x7fabc", "damaged"),
    "no text": (b"X\x01\x00\x00\x00\xff", "damaged"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_pickles_are_refused(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    body, words = HOSTILE[case]
    with pytest.raises(CheckpointError, match=words) as caught:
        load_torch(archive(tmp_path / "bad.pt", body))
    assert "bad.pt: " in str(caught.value)
    assert len(str(caught.value)) < 700
    assert [p.name for p in tmp_path.iterdir()] == ["bad.pt"]


def test_depth_costs_nothing(tmp_path):
    got = load_torch(archive(tmp_path / "deep.pt", nested(200_000)))
    depth = 0
    while got:
        (got,) = got
        depth += 1
    assert depth == 199_999


ARCHIVES = {
    "compressed": ({**GOOD, "data/0": bytes(10**6)}, zipfile.ZIP_DEFLATED, "is compressed"),
    "byte order": ({**GOOD, "byteorder": b"middle"}, zipfile.ZIP_STORED, "'middle' must be little or big"),
    "order in no text": ({**GOOD, "byteorder": b"\xff"}, zipfile.ZIP_STORED, "damaged"),
    "a program": ({**GOOD, "constants.pkl": b"\x80\x02)."}, zipfile.ZIP_STORED, "TorchScript"),
    "short storage": ({**GOOD, "data/0": TWO[:7]}, zipfile.ZIP_STORED, "has 7 bytes"),
}


@pytest.mark.parametrize("case", ARCHIVES)
def test_hostile_archives_are_refused(tmp_path, case):
    records, packing, words = ARCHIVES[case]
    with pytest.raises(CheckpointError, match=words):
        load_torch(archive(tmp_path / "bad.pt", tensor(), records, packing))


def test_other_archives_are_refused(tmp_path):
    path = tmp_path / "x.pt"
    np.savez(tmp_path / "x.npz", a=np.ones(1))
    (tmp_path / "x.npz").rename(path)
    with pytest.raises(CheckpointError, match=r"x\.pt: .*without data\.pkl"):
        load_torch(path)
    with zipfile.ZipFile(path, "w") as z:
        z.writestr("a/data.pkl", b"\x80\x02).")
        with pytest.warns(UserWarning, match="Duplicate"):
            z.writestr("a/data.pkl", b"\x80\x02].")
    with pytest.raises(CheckpointError, match="occur twice"):
        load_torch(path)
    good = io.BytesIO()
    archive(good, tensor(), {**GOOD, "data/1": bytes(400)})
    data = bytearray(good.getvalue())  # the central directory says that a record is longer than the file
    at = data.rindex(b"archive/data/1") - 46
    data[at + 20 : at + 28] = struct.pack("<II", 10**9, 10**9)
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="longer than the file"):
        load_torch(path)
    for head in (b"", b"\x80", b"PK", b"{}", bytes(100)):
        path.write_bytes(head)
        with pytest.raises(CheckpointError, match=r"x\.pt: "):
            load_torch(path)
    with pytest.raises(FileNotFoundError):
        load_torch(tmp_path / "none.pt")
    with pytest.raises(IsADirectoryError):
        load_torch(tmp_path)


def test_a_pickle_has_a_limit(tmp_path, monkeypatch):
    path = archive(tmp_path / "x.pt", b"]" * 2000)
    for module in (unpickling, torch_file):
        monkeypatch.setattr(module, "SIZE_LIMIT", 1000)
    with pytest.raises(CheckpointError, match=r"data\.pkl is longer than 1000"):
        load_torch(path)
    path.write_bytes(b"\x80\x02" + torch_file._MAGIC + b"." + b"\x80\x02" + b"]" * 2000)
    with pytest.raises(CheckpointError, match="a pickle of more than 1000"):
        load_torch(path)


def test_damaged_numbers_are_noticed(tmp_path):
    good = (DATA / "tensors.pt").read_bytes()
    path = tmp_path / "x.pt"
    for name in ("data.pkl", "data/0", "data/5", "byteorder"):
        bad = bytearray(good)
        with zipfile.ZipFile(io.BytesIO(good)) as z:
            header = z.getinfo(f"tensors/{name}").header_offset
        lengths = struct.unpack_from("<HH", good, header + 26)
        bad[header + 30 + sum(lengths)] ^= 1
        path.write_bytes(bad)
        with pytest.raises(CheckpointError, match=r"x\.pt: damaged: BadZipFile: Bad CRC-32"):
            load_torch(path)


# -- the layout before the zip ----------------------------------------------------------------------------------------
SYSTEM = b"}" + text("little_endian") + b"\x88s"


def stream(body, keys, storages, version=b"M\xe9\x03", system=SYSTEM):
    parts = [version, system, body, keys]
    return b"\x80\x02" + torch_file._MAGIC + b"." + b"".join([b"\x80\x02" + p + b"." for p in parts]) + storages


KEYS, STORED = b"]" + text("0") + b"a", struct.pack("<q", 2) + TWO
STREAMS = {
    "version": (stream(tensor(), KEYS, STORED, version=b"K\x01"), "version 1 of the layout"),
    "other bytes first": (stream(tensor(), KEYS, STORED, system=SYSTEM.replace(b"\x88s", b"\x89s")), "byte order"),
    "system is a list": (stream(tensor(), KEYS, STORED, system=b"]"), "byte order"),
    "other storages": (stream(tensor(), b"]" + text("1") + b"a", STORED), "are not those"),
    "keys are lists": (stream(tensor(), b"]]a", STORED), "are not those"),
    "no storages": (stream(tensor(), b"]", b""), "are not those"),
    "other count": (stream(tensor(), KEYS, struct.pack("<q", 3) + TWO), "3 elements are there, 2 expected"),
    "cut in the data": (stream(tensor(), KEYS, STORED[:-1]), "the file ends before"),
    "cut before the data": (stream(tensor(), KEYS, b""), "damaged"),
    "longer than the file": (stream(tensor(of=storage(count=10**9)), KEYS, STORED), "longer than the file"),
    "twice, differently": (
        stream(b"]" + tensor() + b"a" + tensor(of=storage(count=1), size=(1,)) + b"a", KEYS, STORED),
        "occurs with different sizes",
    ),
    "a view of a storage": (stream(tensor(of=storage().replace(b"tQ", text("v") + b"tQ")), KEYS, STORED), "no storage known"),
    "a command": (stream(b"cos\nsystem\n" + text("touch boom") + b"\x85R", KEYS, STORED), r"os\.system"),
}


@pytest.mark.parametrize("case", STREAMS)
def test_hostile_streams_are_refused(tmp_path, case):
    data, words = STREAMS[case]
    (tmp_path / "bad.pt").write_bytes(data)
    with pytest.raises(CheckpointError, match=words) as caught:
        load_torch(tmp_path / "bad.pt")
    assert "bad.pt: " in str(caught.value)


# -- chance -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["legacy.pt", "checkpoint.pt", "tensors.pt"])
def test_cut_files_are_refused(tmp_path, name):
    good = (DATA / name).read_bytes()
    for n in (*range(0, 64, 7), len(good) // 3, len(good) // 2, len(good) - 1):
        (tmp_path / name).write_bytes(good[:n])
        with pytest.raises(CheckpointError, match=name):
            load_torch(tmp_path / name)


@pytest.mark.parametrize("name", ["legacy.pt", "checkpoint.pt", "protocol5.pth", "unchecked.pt"])
def test_changed_bytes_give_a_value_or_an_error_of_ours(tmp_path, name):
    good, rng, path = (DATA / name).read_bytes(), random.Random(0), tmp_path / name
    refused = 0
    for _ in range(150):
        bad = bytearray(good)
        for _ in range(rng.choice([1, 1, 2, 8])):
            bad[rng.randrange(len(bad))] = rng.randrange(256)
        path.write_bytes(bad)
        try:
            load_torch(path)
        except (CheckpointError, ImportError):
            refused += 1
    assert refused > 20


# -- PyTorch itself ---------------------------------------------------------------------------------------------------
@pytest.mark.torch
def test_agrees_with_torch_load(tmp_path):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    state = OrderedDict()
    for i in range(40):
        shape = tuple(int(n) for n in rng.integers(0, 4, rng.integers(0, 5)))
        t = torch.as_tensor(rng.normal(size=shape) * 50).to(rng.choice([torch.float32, torch.int16, torch.uint8, torch.complex64]))
        state[f"layer.{i}"] = t.permute(*[int(a) for a in rng.permutation(len(shape))])[..., :2] if len(shape) else t
    for zipped in (True, False):
        for protocol in (2, 4, 5):
            path = tmp_path / "x.pt"
            torch.save({"state": state, "list": [state]}, path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
            got = load_torch(path)
            assert list(got["state"]) == list(state)
            for name, t in state.items():
                same(got["state"][name], t.numpy())
                assert got["list"][0][name] is got["state"][name]
