"""Every example runs offline, ends well, and leaves nothing behind; and those that can read data from files do so."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

EXAMPLES = sorted((pathlib.Path(__file__).parents[1] / "examples").glob("*.py"))
RNG = np.random.default_rng(0)


def ran(name, folder, *arguments):
    """The example's process, run in this folder, as if no data were on the machine."""
    path = next(p for p in EXAMPLES if p.stem == name)
    env = {**os.environ, "MPLBACKEND": "agg", "PYTHONDONTWRITEBYTECODE": "1", "MINIGRAD_DATA": str(folder / "nothing")}
    env["OPENBLAS_NUM_THREADS"] = "1"  # the same sums everywhere, and small nets are not slowed by threads that wait for a busy machine
    command = [sys.executable, str(path), *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_example(path, tmp_path):
    out = ran(path.stem, tmp_path)
    assert out.returncode == 0, out.stdout + out.stderr
    assert out.stdout.strip(), "an example ends in a printed verdict"
    assert not list(tmp_path.iterdir())
    assert len(path.read_text().splitlines()) < 120


@pytest.fixture
def mnist(tmp_path):
    """A folder with an excerpt of noise in MNIST's format, under a name that says so."""
    for name, n in (("train-30", 30), ("t10k", 10)):
        for kind, head, shape in (("images-idx3", (8, 3), (n, 28, 28)), ("labels-idx1", (8, 1), (n,))):
            numbers = RNG.integers(10, size=shape, dtype=np.uint8)
            (tmp_path / f"{name}-{kind}-ubyte").write_bytes(bytes((0, 0, *head)) + np.array(shape, ">u4").tobytes() + numbers.tobytes())
    return tmp_path


@pytest.mark.parametrize("name", ["mnist_mlp", "mnist_cnn"])
def test_reads_idx_files(name, mnist):
    out = ran(name, mnist, "--data", mnist, "--epochs", 1, "--bound", -1)
    assert out.returncode == 0, out.stdout + out.stderr
    assert out.stdout.startswith("30 images of")


def test_draws_a_picture(mnist):
    out = ran("dcgan", mnist, "--data", mnist, "--epochs", 1, "--out", "pictures")
    assert not out.stderr.replace("missed", "").strip(), out.stderr
    png = (mnist / "pictures" / "dcgan.png").read_bytes()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert np.frombuffer(png[16:24], ">u4").tolist() == [300, 270]


def test_reads_an_excerpt_of_cifar(tmp_path):
    parts = {"train": 40, "test": 10}
    images = {f"x_{part}": RNG.integers(256, size=(n, 3, 32, 32), dtype=np.uint8) for part, n in parts.items()}
    np.savez(tmp_path / "excerpt.npz", **images, **{f"y_{part}": np.arange(n, dtype=np.uint8) % 10 for part, n in parts.items()})
    out = ran("cifar_resnet", tmp_path, "--data", tmp_path, "--epochs", 1)
    assert not out.stderr.replace("missed", "").strip(), out.stderr
    assert out.stdout.startswith("40 images of 32x32 pixels and 10 classes")


@pytest.mark.parametrize("name", ["mnist_mlp", "mnist_cnn", "cifar_resnet", "dcgan"])
def test_a_folder_without_the_files_is_named(name, tmp_path):
    out = ran(name, tmp_path, "--data", tmp_path)
    assert out.returncode == 1
    assert "FileNotFoundError" in out.stderr
    assert str(tmp_path) in out.stderr
