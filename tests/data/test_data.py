"""Datasets, loaders, and the readers of their files."""

import gzip
import hashlib
import io
import struct

import numpy as np
import pytest

import minigrad as mg
from minigrad import data
from minigrad.data import mnist
from minigrad.errors import CheckpointError, DTypeError, ShapeError


class Squares(data.Dataset):
    def __getitem__(self, i):
        return {"x": float(i), "y": i * i}

    def __len__(self):
        return 5


def test_loader_batches_and_collates():
    loader = data.DataLoader(Squares(), batch_size=2)
    batches = list(loader)
    assert len(loader) == len(batches) == 3
    assert batches[1]["y"].tolist() == [4, 9]
    assert batches[1]["x"].dtype == np.float32
    assert len(data.DataLoader(Squares(), batch_size=2, drop_last=True)) == 2
    assert [b["y"].shape for b in data.DataLoader(Squares(), 2, drop_last=True)] == [(2,), (2,)]
    assert list(data.DataLoader([], 4)) == []
    assert len(data.DataLoader(Squares(), 100)) == 1
    assert list(data.DataLoader(Squares(), 5, collate_fn=len)) == [5]
    assert [b.tolist() for b in data.DataLoader([mg.tensor([1.0]), mg.tensor([2.0])], 2)] == [[[1.0], [2.0]]]


def test_loader_refuses():
    for bad in (0, -1, 2.0, True):
        with pytest.raises(ValueError, match="batch_size"):
            data.DataLoader(Squares(), bad)
    with pytest.raises(ShapeError, match="different shapes"):
        list(data.DataLoader([np.zeros(2), np.zeros(3)], 2))
    with pytest.raises(DTypeError, match="collate_fn"):
        list(data.DataLoader([object()], 1))


def test_shuffling_is_fixed_by_the_seed_and_new_each_time():
    def orders():
        mg.manual_seed(5)
        loader = data.DataLoader(list(range(50)), 50, shuffle=True)
        mg.random.normal(size=3) if hasattr(mg.random, "normal") else None
        return [next(iter(loader)).tolist() for _ in range(3)]

    a, b = orders(), orders()
    assert a == b
    assert a[0] != a[1]
    assert all(sorted(o) == list(range(50)) for o in a)
    one = data.DataLoader(list(range(50)), 50, shuffle=True, generator=mg.Generator(3))
    two = data.DataLoader(list(range(50)), 25, shuffle=True, generator=mg.Generator(3))
    assert [v for b in one for v in b.tolist()] == [v for b in two for v in b.tolist()]


def test_tensor_dataset_and_subsets():
    d = data.TensorDataset(np.arange(12).reshape(6, 2), np.arange(6))
    x, y = d[2]
    assert (x.tolist(), y.item()) == ([4, 5], 2)
    s = data.Subset(d, [4, 1])
    assert s[0][1].item() == 4
    (batch,) = data.DataLoader(s, 2)
    assert batch[0].tolist() == [[8, 9], [2, 3]]
    assert [b[1].tolist() for b in data.DataLoader(data.Subset(s, [1]), 2)] == [[1]]
    with pytest.raises(ShapeError, match="equally long"):
        data.TensorDataset(np.zeros(2), np.zeros(3))
    assert [v[1].item() for v in d] == [0, 1, 2, 3, 4, 5]


def test_random_split():
    mg.manual_seed(0)
    parts = data.random_split(list(range(10)), [7, 3])
    assert sorted(i for p in parts for i in p) == list(range(10))
    assert [len(p) for p in data.random_split(list(range(10)), [0.5, 0.25, 0.25])] == [6, 2, 2]
    assert [len(p) for p in data.random_split([1], [1])] == [1]
    with pytest.raises(ValueError, match="add up"):
        data.random_split(list(range(10)), [7, 4])


def test_digits():
    train, test = data.Digits(), data.Digits(train=False)
    assert (len(train), len(test)) == (1437, 360)
    x, y = train.tensors
    assert x.shape == (1437, 1, 8, 8)
    assert (x.dtype, y.dtype) == (np.float32, np.int64)
    assert (x.numpy().min(), x.numpy().max()) == (0, 1)
    assert min(np.bincount(test.tensors[1].numpy())) >= 34
    everything = np.concatenate([x.numpy(), test.tensors[0].numpy()])
    assert everything.sum() * 16 == 561718  # of the original
    rows = {a.tobytes() for a in x.numpy()}
    assert not any(a.tobytes() in rows for a in test.tensors[0].numpy())


# -- MNIST ------------------------------------------------------------------------------------------------------------
def idx(a):
    return b"\0\0\x08" + bytes([a.ndim]) + struct.pack(f">{a.ndim}I", *a.shape) + a.astype(np.uint8).tobytes()


def put(folder, n=5, part="train", labels=None):
    images = np.arange(n * 784).reshape(n, 28, 28) % 256
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
    (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.arange(n if labels is None else labels))))
    return images


def test_mnist_is_read_from_a_folder(tmp_path, monkeypatch):
    images = put(tmp_path / "mnist")
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path))
    for d in (data.MNIST(download=False), data.MNIST(tmp_path / "mnist")):
        assert len(d) == 5
        assert np.allclose(d.tensors[0].numpy()[:, 0] * 255, images)
        assert d[3][1].item() == 3
    plain = tmp_path / "plain"
    plain.mkdir()
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (plain / name).write_bytes(gzip.decompress((tmp_path / "mnist" / f"{name}.gz").read_bytes()))
    assert len(data.MNIST(plain)) == 5


def test_missing_mnist_says_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError) as caught:
        data.MNIST(tmp_path, download=False)
    for words in ("train-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", str(tmp_path), "MINIGRAD_DATA"):
        assert words in str(caught.value)
    monkeypatch.setattr(mnist, "MIRRORS", ["file:///nowhere/"])
    with pytest.raises(FileNotFoundError, match="nowhere"):
        data.MNIST(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_damaged_files_are_refused(tmp_path):
    put(tmp_path, labels=4)
    with pytest.raises(CheckpointError, match="belong together"):
        data.MNIST(tmp_path)
    good = idx(np.zeros((3, 4)))
    packed = gzip.compress(good)
    flipped = bytearray(packed)
    flipped[-6] ^= 1  # in the checksum
    for name, content, words in (
        ("a.gz", packed[:-9], "damaged gzip"),
        ("b.gz", bytes(flipped), "damaged gzip"),
        ("c.gz", b"PK not gzip", "damaged gzip"),
        ("d", good[:-1], "needs 12 bytes"),
        ("e", good + b"x", "more than"),
        ("f", b"\0\0\x0d" + good[3:], "not an IDX"),
        ("g", good[:6], "header"),
        ("h", b"", "not an IDX"),
        ("i", b"\0\0\x08\x02" + struct.pack(">2I", 2**31, 2**31), "limit"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointError, match=words) as caught:
            mnist.read_idx(tmp_path / name)
        assert name in str(caught.value)


def test_fetch_checks_and_tries_the_next_mirror(tmp_path):
    content, asked = b"the file", []
    sha = hashlib.sha256(content).hexdigest()

    def get(url, timeout):
        asked.append(url)
        if "down" in url:
            raise OSError("no route")
        return io.BytesIO(b"something else" if "bad" in url else content)

    path = mnist.fetch("f.gz", tmp_path / "new", sha, ["http://down/", "http://bad/", "http://good/"], get=get)
    assert path.read_bytes() == content
    assert len(asked) == 3
    assert [p.name for p in path.parent.iterdir()] == ["f.gz"]
    with pytest.raises(OSError, match="SHA-256") as caught:
        mnist.fetch("g.gz", tmp_path / "new", sha, ["http://down/", "http://bad/"], get=get)
    assert "no route" in str(caught.value)
    assert [p.name for p in path.parent.iterdir()] == ["f.gz"]
