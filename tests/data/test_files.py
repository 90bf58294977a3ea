"""Readers of dataset files, and the door to the network; no test goes beyond this machine."""

import gzip
import hashlib
import http.server
import io
import struct
import sys
import tarfile
import threading

import numpy as np
import pytest

from minigrad import data
from minigrad.data import cifar, download, mnist, text
from minigrad.errors import CheckpointError, IndexRangeError


@pytest.fixture
def server():
    """A web server: what lies in ``pages`` by path, or a function that answers."""
    pages, asked = {}, []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            content = pages.get(self.path)
            if callable(content):
                return content(self)
            if content is None:
                return self.send_error(404)
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            return self.wfile.write(content)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        made.pages, made.asked, made.url = pages, asked, f"http://127.0.0.1:{made.server_port}/"
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def sha(content):
    return hashlib.sha256(content).hexdigest()


# -- downloads ------------------------------------------------------------------------------------------------------------
def test_the_next_mirror_is_tried_and_nothing_is_left_behind(server, tmp_path):
    content = bytes(range(256)) * 1000

    def cut(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:1000])

    server.pages.update({"/bad/f": b"something else", "/cut/f": cut, "/good/f": content})
    mirrors = [server.url + p for p in ("down/", "bad/", "cut/", "good/")]
    path = download.fetch("f", tmp_path / "new", sha(content), ["http://127.0.0.1:1/", "nonsense:/x", *mirrors])
    assert path.read_bytes() == content
    assert server.asked == ["/down/f", "/bad/f", "/cut/f", "/good/f"]
    assert [p.name for p in path.parent.iterdir()] == ["f"]
    with pytest.raises(OSError, match="no mirror gave g") as caught:
        download.fetch("g", tmp_path / "new", sha(content), [server.url + "down/", server.url + "bad/f"])
    for words in ("404", sha(b"something else"), f"expected {sha(content)}", "/bad/f"):
        assert words in str(caught.value)
    with pytest.raises(OSError, match="there are none"):
        download.fetch("g", tmp_path / "new", sha(content), [])
    assert [p.name for p in path.parent.iterdir()] == ["f"]
    source = tmp_path / "here"
    source.mkdir()
    (source / "h").write_bytes(b"abc")
    assert download.fetch("h", tmp_path / "new", sha(b"abc"), [source.as_uri() + "/"]).read_bytes() == b"abc"


def test_an_interrupted_download_leaves_nothing(tmp_path):
    class Source(io.BytesIO):
        def read(self, n=-1):
            if self.tell():
                raise KeyboardInterrupt
            return super().read(n)

    (tmp_path / "f").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        download.fetch("f", tmp_path, sha(b"x"), ["file:///"], get=lambda url, timeout: Source(b"x" * 100_000))
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("f", b"old")]


def test_a_download_has_a_limit_and_a_line_in_a_terminal_only(tmp_path, monkeypatch, capsys):
    content = b"x" * 1000
    download.fetch("f", tmp_path, sha(content), ["file:///"], get=lambda url, timeout: io.BytesIO(content))
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    download.fetch("f", tmp_path, sha(content), ["file:///"], get=lambda url, timeout: io.BytesIO(content))
    assert "f: 0.0 MB" in capsys.readouterr().err
    monkeypatch.setattr(download, "LIMIT", 999)
    with pytest.raises(OSError, match="longer than 999"):
        download.fetch("g", tmp_path, sha(content), ["file:///"], get=lambda url, timeout: io.BytesIO(content))


def test_the_folder_of_datasets(monkeypatch, tmp_path):
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path / "a"))
    assert data.data_folder() == tmp_path / "a"
    monkeypatch.delenv("MINIGRAD_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
    assert data.data_folder() == tmp_path / "b" / "minigrad"
    assert data.data_folder(tmp_path) == tmp_path


def test_the_tables_of_files():
    for files in (mnist.FILES, mnist.FASHION_FILES, mnist.KUZUSHIJI_FILES, cifar.FILES, cifar.FILES_100, text.FILES):
        assert all(len(digest) == 64 and int(digest, 16) for digest in files.values())
    for mirrors in (mnist.MIRRORS, mnist.FASHION_MIRRORS, mnist.KUZUSHIJI_MIRRORS, cifar.MIRRORS):
        assert all(url.endswith("/") for url in mirrors)


# -- IDX and MNIST --------------------------------------------------------------------------------------------------------
def idx(a, code=8):
    return bytes([0, 0, code, a.ndim]) + struct.pack(f">{a.ndim}I", *a.shape) + a.tobytes()


def put(folder, n=5, part="train", labels=None):
    images = (np.arange(n * 784).reshape(n, 28, 28) % 256).astype(np.uint8)
    labels = np.arange(n, dtype=np.uint8) if labels is None else np.asarray(labels, np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
    (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))
    return images


@pytest.mark.parametrize("kind", [data.MNIST, data.FashionMNIST, data.KMNIST])
def test_mnist_is_read_from_a_folder(kind, tmp_path, monkeypatch):
    name = {"MNIST": "mnist", "FashionMNIST": "fashion-mnist", "KMNIST": "kmnist"}[kind.__name__]
    images = put(tmp_path / name)
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path))
    for d in (kind(download=False), kind(tmp_path / name)):
        assert len(d) == 5
        assert len(d.classes) == 10
        assert np.allclose(d.tensors[0].numpy()[:, 0] * 255, images)
        assert d[3][1].item() == 3
    plain = tmp_path / "plain"
    plain.mkdir()
    for file in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (plain / file).write_bytes(gzip.decompress((tmp_path / name / f"{file}.gz").read_bytes()))
    assert len(kind(plain)) == 5


def test_mnist_is_downloaded(server, tmp_path, monkeypatch):
    put(tmp_path / "source", part="t10k")
    files = {p.name: p.read_bytes() for p in (tmp_path / "source").iterdir()}
    server.pages.update({f"/{name}": content for name, content in files.items()})
    monkeypatch.setattr(mnist, "MIRRORS", [server.url])
    with pytest.raises(FileNotFoundError, match="expected 8d422c7b"):
        data.MNIST(tmp_path / "new", train=False)
    monkeypatch.setattr(mnist, "FILES", {name: sha(content) for name, content in files.items()})
    for _ in range(2):
        assert len(data.MNIST(tmp_path / "new", train=False)) == 5
    assert len(server.asked) == 3


def test_missing_mnist_says_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError) as caught:
        data.MNIST(tmp_path, download=False)
    for words in ("train-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", str(tmp_path), "MINIGRAD_DATA", "440fcabf73cc546f"):
        assert words in str(caught.value)
    monkeypatch.setattr(mnist, "MIRRORS", ["file:///nowhere/"])
    with pytest.raises(FileNotFoundError, match="nowhere"):
        data.MNIST(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_mnist_that_does_not_fit(tmp_path):
    put(tmp_path, labels=[1, 2])
    with pytest.raises(CheckpointError, match="belong together"):
        data.MNIST(tmp_path)
    put(tmp_path, labels=[1, 2, 3, 10, 4])
    with pytest.raises(CheckpointError, match="label 10 at 3, expected 0 to 9"):
        data.MNIST(tmp_path)


@pytest.mark.parametrize(("code", "dtype"), [(8, "u1"), (9, "i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")])
def test_idx_of_all_types(code, dtype, tmp_path):
    a = np.arange(24).reshape(2, 3, 4).astype(dtype)
    (tmp_path / "a").write_bytes(idx(a, code))
    b = data.read_idx(tmp_path / "a")
    assert (a == b).all()
    assert b.dtype == a.dtype.newbyteorder("=")
    assert b.flags.writeable


def test_damaged_files_are_refused(tmp_path):
    good = idx(np.zeros((3, 4), np.uint8))
    packed = gzip.compress(good)
    flipped = bytearray(packed)
    flipped[-6] ^= 1  # in the checksum
    for name, content, words in (
        ("a.gz", packed[:-9], "damaged gzip"),
        ("b.gz", bytes(flipped), "damaged gzip"),
        ("c.gz", b"PK not gzip", "damaged gzip"),
        ("d", good[:-1], "needs 12 bytes, the file has 11"),
        ("e", good + b"x", "more than"),
        ("f", b"\0\0\x0a" + good[3:], "not an IDX"),
        ("g", good[:6], "header"),
        ("h", b"", "starts with nothing"),
        ("i", b"\0\0\x08\x02" + struct.pack(">2I", 2**31, 2**31), "limit"),
        ("j", b"\0\0\x0d" + good[3:], "needs 48 bytes"),
        ("k", b"\0\0\x08\xff" + good[4:], "1 to 8 axes"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointError, match=words) as caught:
            data.read_idx(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)


# -- CIFAR ----------------------------------------------------------------------------------------------------------------
def records(n, labels=1, seed=0):
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.integers(10, size=(n, labels)), rng.integers(256, size=(n, 3072))], 1).astype(np.uint8)


def archive(path, inside, parts, **extra):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in {**parts, **extra}.items():
            info = tarfile.TarInfo(f"{inside}/{name}" if "/" not in name else name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def test_cifar10(server, tmp_path, monkeypatch):
    parts = {f"data_batch_{i}.bin": records(4, seed=i).tobytes() for i in range(1, 6)} | {"test_batch.bin": records(3).tobytes()}
    archive(tmp_path / "c.tar.gz", "cifar-10-batches-bin", parts, **{"../evil": b"x", "readme.html": b"x"})
    content = (tmp_path / "c.tar.gz").read_bytes()
    server.pages["/cifar-10-binary.tar.gz"] = content
    monkeypatch.setattr(cifar, "MIRRORS", [server.url])
    monkeypatch.setattr(cifar, "FILES", {"cifar-10-binary.tar.gz": sha(content)})
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path / "cache"))
    train, test = data.CIFAR10(), data.CIFAR10(train=False)
    assert (len(train), len(test)) == (20, 3)
    x, y = train.tensors
    want = records(4, seed=2)
    assert np.allclose(x.numpy()[4:8].reshape(4, -1) * 255, want[:, 1:])
    assert (y.numpy()[4:8] == want[:, 0]).all()
    assert (x.dtype, y.dtype, x.shape[1:]) == (np.float32, np.int64, (3, 32, 32))
    assert len(server.asked) == 1
    names = {str(p.relative_to(tmp_path / "cache")) for p in (tmp_path / "cache").rglob("*") if p.is_file()}
    assert names == {"cifar10/cifar-10-binary.tar.gz", *[f"cifar10/cifar-10-batches-bin/{n}" for n in parts]}
    assert len(data.CIFAR10(tmp_path / "cache/cifar10/cifar-10-batches-bin", download=False)) == 20


def test_cifar100(tmp_path):
    (tmp_path / "train.bin").write_bytes(records(4, 2).tobytes())
    want = records(4, 2)
    for coarse in (False, True):
        d = data.CIFAR100(tmp_path, coarse=coarse, download=False)
        assert d.tensors[1].tolist() == want[:, 0 if coarse else 1].tolist()
        assert np.allclose(d.tensors[0].numpy().reshape(4, -1) * 255, want[:, 2:])


def test_damaged_cifar_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"cifar-10-binary\.tar\.gz"):
        data.CIFAR10(tmp_path, download=False)
    good = records(3)
    wrong = good.copy()
    wrong[1, 0] = 10
    for content, words in ((good.tobytes()[:-1], "9218 bytes"), (b"", "0 bytes"), (wrong.tobytes(), r"record 1 has label\(s\) \[10\]")):
        (tmp_path / "test_batch.bin").write_bytes(content)
        with pytest.raises(CheckpointError, match=words) as caught:
            data.CIFAR10(tmp_path, train=False)
        assert str(tmp_path / "test_batch.bin") in str(caught.value)
    (tmp_path / "test_batch.bin").unlink()
    packed = tmp_path / "cifar-10-binary.tar.gz"
    archive(packed, "elsewhere", {"test_batch.bin": good.tobytes()})
    with pytest.raises(CheckpointError, match="not in it"):
        data.CIFAR10(tmp_path, train=False)
    archive(packed, "cifar-10-batches-bin", {"test_batch.bin": good.tobytes()})
    whole = packed.read_bytes()
    for content in (whole[: len(whole) // 2], b"no archive"):
        packed.write_bytes(content)
        with pytest.raises(CheckpointError, match="damaged archive"):
            data.CIFAR10(tmp_path, train=False)
    assert not (tmp_path / "cifar-10-batches-bin" / "test_batch.bin").exists()


# -- text -----------------------------------------------------------------------------------------------------------------
def test_text(tmp_path):
    path = tmp_path / "a.txt"
    letters = "the quick brown fox jumps over the lazy dog; é\n" * 4
    path.write_text(letters, encoding="utf-8")
    train, valid = data.TextFile(path, context=8), data.TextFile(path, context=8, train=False)
    assert len(train.vocabulary) == len(set(letters))
    whole = train.vocabulary.decode(train.codes) + valid.vocabulary.decode(valid.codes)
    assert whole == letters
    assert len(valid.codes) == int(len(letters) * 0.1)
    for i in range(-1, len(train)):
        x, y = (train.vocabulary.decode(part) for part in train[i])
        assert (x + y[-1], y) == (letters[8 * (i % len(train)) :][:9], x[1:] + y[-1])
    assert train.vocabulary.decode(np.concatenate([x.numpy() for x, _ in train])) == letters[: 8 * len(train)]
    x, y = train.batch(np.array([3, 0]))
    assert [x.tolist(), y.tolist()] == [[train[i][k].tolist() for i in (3, 0)] for k in (0, 1)]
    every = data.TextFile(path, context=8, stride=1, validation=0.0)
    assert len(every) == len(letters) - 8
    assert every.vocabulary.decode(every[-1][1])[-1] == "\n"
    (batch,) = list(data.DataLoader(every, len(every), shuffle=True))
    assert batch[0].shape == (len(every), 8)
    for attempt in (lambda: train[len(train)], lambda: train.vocabulary.encode("Q"), lambda: train.vocabulary.decode([99])):
        with pytest.raises(IndexRangeError):
            attempt()
    for options in ({"context": 0}, {"validation": 1.0}, {"stride": 0}):
        with pytest.raises(ValueError):
            data.TextFile(path, **options)


def test_text_that_is_none(tmp_path):
    path = tmp_path / "a.txt"
    for content, words in ((b"ab\xff", "byte 0xff at 2"), (b"", "empty"), (b"short", "5 characters")):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=words) as caught:
            data.TextFile(path)
        assert str(path) in str(caught.value)
    with pytest.raises(FileNotFoundError):
        data.TextFile(tmp_path / "none")


def test_tiny_shakespeare(server, tmp_path, monkeypatch):
    content = b"First Citizen:\nBefore we proceed any further, hear me speak.\n" * 5
    server.pages["/other.txt"] = content
    monkeypatch.setattr(text, "MIRRORS", [server.url + "none/", server.url + "other.txt"])
    monkeypatch.setattr(text, "FILES", {"input.txt": sha(content)})
    d = data.TinyShakespeare(tmp_path, context=16)
    assert d.vocabulary.decode(d[0][0]) == "First Citizen:\nB"
    assert [p.name for p in tmp_path.iterdir()] == ["input.txt"]
