"""The bar while an epoch runs in a terminal, with a stand-in for tqdm; and batches taken apart and moved."""

import contextlib
import importlib.util
import sys
import types
from typing import ClassVar, NamedTuple

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.train import EarlyStopping, ProgressBar, TerminateOnNaN, Trainer, Watch, progress
from minigrad.train.batches import moved, parted

X, Y = np.ones((40, 3), "float32"), np.zeros(40, "int64")


class Bar:
    """What tqdm gives, as far as it is used."""

    made: ClassVar = []

    def __init__(self, total, desc, leave):
        self.total, self.desc, self.done, self.open, self.notes = total, desc, 0, True, []
        Bar.made.append(self)

    def set_postfix_str(self, text, refresh):
        self.notes.append(text)

    def update(self):
        self.done += 1

    def close(self):
        self.open = False


@pytest.fixture
def terminal(monkeypatch):
    """A terminal on which tqdm, as above, draws."""
    Bar.made = []
    find = importlib.util.find_spec
    monkeypatch.setitem(sys.modules, "tqdm", types.SimpleNamespace(tqdm=Bar))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: True if name == "tqdm" else find(name, *rest))
    monkeypatch.setattr(progress, "sys", types.SimpleNamespace(stderr=types.SimpleNamespace(isatty=lambda: True)))
    return Bar.made


def trainer(*callbacks, progress=False):
    net = nn.Linear(3, 2)
    return Trainer(net, nn.CrossEntropyLoss(), optim.SGD(net.parameters(), lr=0.1), callbacks=callbacks, progress=progress)


def test_a_bar_per_epoch(terminal, capsys):
    trainer(ProgressBar(every=0.0)).fit((X, Y), epochs=2, batch_size=10)
    assert [(b.desc, b.total, b.done, b.open) for b in terminal] == [("epoch 1/2", 4, 4, False), ("epoch 2/2", 4, 4, False)]
    assert all(note.startswith("loss ") for b in terminal for note in b.notes)
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_the_bar_is_closed_by_errors_and_interrupts(terminal, capsys):
    class Stop(mg.train.Callback):
        def on_step_end(self, trainer):
            raise KeyboardInterrupt

    t = trainer(ProgressBar(), Stop())
    with contextlib.suppress(KeyboardInterrupt):
        t.fit((X, Y), batch_size=10)
    assert len(terminal) == 1
    assert not terminal[0].open


def test_no_bar_where_nobody_looks(terminal, capsys):
    progress.sys.stderr.isatty = lambda: False
    trainer(progress=True).fit((X, Y), epochs=1)
    assert not terminal
    assert capsys.readouterr().out.startswith("epoch 1/1  loss")


# -- batches ----------------------------------------------------------------------------------------------------------
class Pair(NamedTuple):
    image: object
    label: object


def test_a_batch_is_taken_apart():
    assert parted((1, 2, 3)) == ((1, 2), 3)
    assert parted([1, 2]) == ((1,), 2)
    assert parted([1]) == ((1,), 1)
    assert parted(5) == ((5,), 5)
    assert parted(Pair(1, 2)) == ((1,), 2)


def test_a_batch_is_moved():
    batch = (np.ones(2), [mg.ones(3), "text"])
    assert moved(batch, None) is batch
    a, (b, text) = moved(batch, "cpu")
    assert isinstance(a, mg.Tensor)
    assert b is batch[1][0]
    assert text == "text"
    pair = moved(Pair(np.ones(2), np.zeros(2)), "cpu")
    assert type(pair) is Pair
    assert parted(pair)[1].tolist() == [0.0, 0.0]
    assert isinstance(moved({"image": np.ones(2)}, "cpu")["image"], mg.Tensor)


# -- callbacks that watch ---------------------------------------------------------------------------------------------
def test_what_cannot_be_watched():
    for call, words in (
        (lambda: Watch(mode="low"), "Watch: mode must be 'min' or 'max', got 'low'"),
        (lambda: Watch(min_delta=-1.0), "Watch: min_delta must not be negative"),
        (lambda: EarlyStopping(patience=-1), "EarlyStopping: patience must not be negative"),
        (lambda: TerminateOnNaN(every=0), "TerminateOnNaN: every must be at least 1"),
    ):
        with pytest.raises(ValueError, match=words):
            call()


def test_what_counts_as_better():
    watch = Watch(min_delta=0.1)
    assert watch.improved({"loss": 1.0})
    assert not watch.improved({"loss": 0.95})
    assert not watch.improved({"loss": float("nan")})
    assert watch.improved({"loss": 0.5, "val_loss": 0.8})  # the validation's, where there is one
    assert watch.best == 0.8
    accuracy = Watch("val_accuracy")
    assert accuracy.improved({"val_accuracy": 0.5})
    assert not accuracy.improved({"val_accuracy": 0.4})
    with pytest.raises(KeyError, match="no 'val_accuracy' to watch; records have loss"):
        accuracy.improved({"loss": 1.0})
