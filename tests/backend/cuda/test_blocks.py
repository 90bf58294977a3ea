"""The CUDA itself, teams of many threads included, run by blocks of coroutines on a processor; see block.h."""

import ctypes
import functools
import os
import pathlib
import shutil
import subprocess

import numpy as np
import pytest

import minigrad as mg
from minigrad.autograd.tensor import wrap
from minigrad.backend.compiled import compiler
from minigrad.backend.cuda import modules
from minigrad.backend.cuda.launch import Kernel, geometry, launch, runners
from minigrad.nn.utils import clip_grad_norm_
from minigrad.testing.checks import close
from minigrad.testing.double import DoubleArray, put
from minigrad.testing.double.capture import launched
from minigrad.testing.opdb import all_specs
from minigrad.testing.parity import TOLERANCES, fetched, keywords, moved, run

HERE = pathlib.Path(__file__).parent
PROCESSORS = 2
"""Few, so that blocks have several rows each, and threads several numbers."""


def compile_with():
    """The C++ compiler; None: there is none."""
    return next((path for name in ("c++", "g++", "clang++") if (path := shutil.which(name))), None) if os.name == "posix" else None


class Blocks:
    """Runs kernels so, but for float16; ``folder`` is where libraries are made, and ``planted`` changes a source."""

    def __init__(self, folder, planted=lambda text: text):
        self.folder, self.planted = folder, planted
        self.library = functools.cache(self._library)

    def _library(self, family, number):
        path, made = self.folder / f"{family}-{number}.cpp", self.folder / f"{family}-{number}.so"
        path.write_text((HERE / "block.h").read_text() + self.planted(modules.text(family)))
        words = [compile_with(), "-std=c++17", "-O1", "-w", "-shared", "-fPIC", "-ffp-contract=fast", "-march=native"]
        words += ["-DINDIRECT", f"-DNUMBER={number}", f"-DWIDER={modules.WIDER[number]}"]
        done = subprocess.run([*words, "-o", made, path], capture_output=True, text=True, timeout=compiler.PATIENCE, check=False)
        assert done.returncode == 0, done.stderr[:2000]
        return ctypes.CDLL(str(made))

    def run(self, kernel, number, data, fields, n, along):
        """What ``launch`` does."""
        if number == "float16":
            return 1
        library = self.library(kernel.family, number)
        (blocks,), (threads,) = geometry(n, along, PROCESSORS)

        def go():
            refused = library.blocks(getattr(library, f"run_{kernel.name}"), data, blocks, threads)
            assert not refused, f"{kernel.name}: some threads end while others wait for them"

        launched(go, writes=[v for v in fields if type(v) is DoubleArray])
        return 0


@pytest.fixture
def blocks(in_cuda, monkeypatch, tmp_path_factory):
    """Launches are run by blocks of threads; gives the counter of launches, with ``plant`` to have another source compiled."""
    if compile_with() is None:
        pytest.skip("there is no C++ compiler, with which the CUDA of kernels is built for a processor")

    def plant(planted):
        blocks = Blocks(tmp_path_factory.mktemp("blocks"), planted)

        def counting(kernel, *args):
            refused = blocks.run(kernel, *args)
            in_cuda[kernel.name] += not refused
            return refused

        monkeypatch.setitem(runners, DoubleArray, counting)

    plant(lambda text: text)
    in_cuda.plant = plant
    return in_cuda


def test_every_row_of_the_table_that_launches_a_kernel(blocks):
    """Values and gradients are those of NumPy."""
    for spec in all_specs():
        if "float32" not in spec.dtypes or spec.name == "from_numpy":
            continue
        for s in spec.draw():
            s, before, f = s.cast("float32"), blocks.total(), spec.function()
            ours = run(f, moved(s.inputs, put), keywords(s.kwargs, put), put)
            if blocks.total() == before:
                break
            plain = run(f, s.inputs, s.kwargs, lambda a: a)
            close(fetched(ours[0] + ours[1]), fetched(plain[0] + plain[1]), TOLERANCES["float32"], spec.name)
    assert len(blocks) > 60


ROWS = """
KERNEL(rows, const float *x; float *sums, *tops; long n, along;) {
    TEAM(r, my.n) {
        float sum = 0, top = -INFINITY;
        ALONG(j, my.along) {
            const float x = my.x[r * my.along + j];
            sum += x, top = top > x || top != top ? top : x;
        }
        sum = TOTAL(sum), top = HIGHEST(top);
        my.sums[r] = sum, my.tops[r] = top; /* by all of them: they agree */
    }
}
KERNEL(halves, const float *x; NUMBER *y; float *back; long n;) {
    EACH(i, my.n) { my.back[i] = UP(my.y[i] = DOWN(my.x[i])); }
}
"""


@pytest.fixture
def rows(blocks, monkeypatch):
    """The kernels above, as a family."""
    real = modules.text.__wrapped__
    monkeypatch.setattr(modules, "text", lambda family: real("dropout").partition("struct words")[0] + ROWS)


@pytest.mark.parametrize("along", [1, 31, 33, 128, 1000, 4097])
def test_what_a_team_adds_up(along, rows):
    """Teams of one warp to thirty-two, with rows for several blocks and more rows than blocks; NaN is the highest."""
    x = np.random.default_rng(0).normal(size=(70, along)).astype("float32")
    x[7, along // 2] = np.nan
    sums, tops = put(np.zeros(70, "float32")), put(np.zeros(70, "float32"))
    assert launch(Kernel("rows", "rows", "PPPll"), 70, put(x), sums, tops, 70, along, along=along) == 0
    assert np.allclose(sums.get(), x.sum(1, dtype="float64"), rtol=0, atol=1e-6 * along, equal_nan=True)
    assert np.array_equal(tops.get(), x.max(1), equal_nan=True)


def test_bfloat16_is_rounded_to_the_nearest(rows):
    """All upper halves of float32, with lower halves below, at and above the tie; infinities, denormal numbers and NaN."""
    halves = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed, which knows bfloat16: pip install ml_dtypes").bfloat16
    upper = np.arange(1 << 16, dtype="uint32") << 16
    x = np.concatenate([upper | lower for lower in (0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF)]).view("float32")
    y, back = put(np.zeros(x.size, "uint16")), put(np.zeros(x.size, "float32"))
    assert launch(Kernel("rows", "halves", "PPPl"), x.size, put(x), y, back, x.size, number="bfloat16") == 0
    with np.errstate(all="ignore"):
        want = x.astype(halves)
    assert np.array_equal(back.get(), want.astype("float32"), equal_nan=True)
    number = ~np.isnan(x)
    assert np.array_equal(y.get()[number], want.view("uint16")[number])


def test_a_step_of_each_kind_of_optimizer(blocks):
    """More arrays than a launch takes, some of several pieces; the norm of the gradients, and their scaling."""
    shapes = [(5000,), (0,), *[(k,) for k in range(1, 70)]]
    for name in ("SGD", "Adam", "RMSprop"):
        ends = []
        for place in (put, lambda a: a):
            rng = np.random.default_rng(0)
            ps = [wrap(place(rng.normal(size=s).astype("float32")), None).requires_grad_() for s in shapes]
            opt = getattr(mg.optim, name)(ps, lr=0.1, weight_decay=0.1)
            for p in ps:
                p.grad = wrap(place(rng.normal(size=p.shape).astype("float32")), None)
            norm = clip_grad_norm_(ps, 1.0)
            opt.step()
            ends.append([norm.numpy(), *[p.numpy() for p in ps]])
        close(*ends, 1e-5, name)
    assert {"sgd", "adam", "rms", "squares", "root", "times"} <= set(blocks)


FAULTS = {
    "a warp is lost": ("found[threadIdx.x / 32] = x;", "found[threadIdx.x / 64] = x;"),
    "not all warps": ("for (int far = warps / 2; far; far /= 2)", "for (int far = warps / 4; far; far /= 2)"),
    "one does not come": ("if (warps == 1) return x;", "if (warps == 1 || threadIdx.x == 3) return x;"),
    "a stride too long": ("j += blockDim.x)", "j += blockDim.x + 1)"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_words_of_cuda_is_noticed(fault, blocks):
    """What only a block of threads can get wrong."""
    before, after = FAULTS[fault]
    assert before in modules.text("losses")
    blocks.plant(lambda text: text.replace(before, after))
    rng = np.random.default_rng(0)
    x, t = [rng.normal(size=5000).astype("float32") for _ in range(2)]
    with pytest.raises(AssertionError, match=r"mse: off by|some threads end"):
        close([mg.nn.functional.mse_loss(wrap(put(x), None), wrap(put(t), None)).numpy()], [((x - t) ** 2).mean()], 1e-5, "mse")
