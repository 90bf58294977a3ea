"""CTC: every path tried, PyTorch, targets of all kinds, impossible ones, padding that must not matter."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import DeviceError, MinigradError
from minigrad.nn import functional as F
from minigrad.ops.ctc import CTC
from minigrad.testing import gradgradcheck
from minigrad.testing.double import no_sync, put, register
from minigrad.testing.opdb.ctc import every_path

register()
STEPS, BATCH, CLASSES = 6, 5, 4
TARGETS = np.array([[1, 1, 2], [3, 2, 0], [2, 0, 0], [0, 0, 0], [1, 2, 3]])
TIMES, LENGTHS = np.array([6, 4, 6, 5, 3]), np.array([3, 2, 1, 0, 3])
IN_A_ROW = np.concatenate([row[:k] for row, k in zip(TARGETS, LENGTHS, strict=True)])


def logits(dtype="float64", steps=STEPS, seed=0):
    return np.random.default_rng(seed).normal(size=(steps, BATCH, CLASSES)).astype(dtype)


def losses(x, targets=TARGETS, times=TIMES, lengths=LENGTHS, **settings):
    return F.ctc_loss(F.log_softmax(x, -1), targets, times, lengths, **{"reduction": "none", **settings})


def test_every_path():
    log_probs = F.log_softmax(logits(), -1)
    for settings in ({}, {"reduction": "none"}, {"reduction": "sum"}):
        got = F.ctc_loss(log_probs, TARGETS, TIMES, LENGTHS, **settings)
        np.testing.assert_allclose(got, every_path(log_probs, TARGETS, TIMES, LENGTHS, **settings), rtol=1e-12)


@pytest.mark.parametrize("blank", range(CLASSES))
def test_any_class_is_blank(blank):
    """Classes renamed so that another one is blank: the same losses."""
    x, order = logits(), np.roll(np.arange(CLASSES), blank)
    renamed = np.empty_like(x)
    renamed[:, :, (np.arange(CLASSES) + blank) % CLASSES] = x
    assert order[blank] == 0
    got = losses(renamed, (TARGETS + blank) % CLASSES, blank=blank)
    np.testing.assert_allclose(got, losses(x), rtol=1e-12)


def test_probabilities_of_all_targets_add_up():
    """Every path spells exactly one target."""
    log_probs = F.log_softmax(logits(steps=3)[:, :1, :3], -1)
    targets = [[]] + [[a] for a in (1, 2)] + [[a, b] for a in (1, 2) for b in (1, 2)] + [[1, 2, 1], [2, 1, 2]]
    total = sum(np.exp(-F.ctc_loss(log_probs, np.array([t], int), [3], [len(t)], reduction="sum")) for t in targets)
    assert total == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("kind", [tuple, list, np.array, mg.tensor, lambda v: np.asarray(v, "int32")])
def test_lengths_of_any_kind(kind):
    want = losses(logits())
    times, lengths = (kind(v.tolist()) for v in (TIMES, LENGTHS))
    np.testing.assert_array_equal(losses(logits(), times=times, lengths=lengths), want)
    np.testing.assert_array_equal(losses(logits(), IN_A_ROW, times, lengths), want)


def test_one_sequence():
    for i in range(BATCH):
        x = logits()[:, i]
        y = losses(x, TARGETS[i], int(TIMES[i]), int(LENGTHS[i]))
        assert y.shape == ()
        np.testing.assert_allclose(y, losses(logits())[i], rtol=1e-12)


def test_padding_does_not_matter():
    """What lies beyond the lengths, in steps or in targets, changes neither losses nor gradients, and gets none."""
    x = logits()
    y = x.copy()
    targets = np.concatenate([TARGETS, np.full((BATCH, 2), 99)], 1)
    for i, (t, k) in enumerate(zip(TIMES, LENGTHS, strict=True)):
        y[t:, i] = 50
        targets[i, k:] = -1
    slopes = []
    for a, goal in ((x, TARGETS), (y, targets)):
        a = mg.tensor(a, requires_grad=True)
        out = losses(a, goal)
        (out * np.arange(1.0, 6)).sum().backward()
        slopes.append((out.detach().numpy(), a.grad.numpy()))
    for a, b in zip(*slopes, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)
    assert all((slopes[0][1][t:, i] == 0).all() for i, t in enumerate(TIMES))


def test_impossible_targets():
    """A target that does not fit costs inf, or 0 if told so, and gradient 0 in both cases; the others keep theirs."""
    targets, times, lengths = np.array([[1, 1], [1, 2], [1, 2]]), [2, 2, 0], [2, 2, 2]
    x = mg.tensor(logits()[:2, :3], requires_grad=True)
    y = losses(x, targets, times, lengths)
    assert np.isinf(y.detach().numpy()).tolist() == [True, False, True]
    y.sum().backward()
    g = x.grad.numpy()
    assert (g[:, [0, 2]] == 0).all()
    assert (g[:, 1] != 0).all()
    x.grad = None
    y = losses(x, targets, times, lengths, zero_infinity=True)
    assert (y.detach().numpy() == 0).tolist() == [True, False, True]
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), g)


def test_nothing_to_say():
    """Without steps and without labels there is one path, of probability 1; a batch of nothing costs 0."""
    assert losses(logits(), times=[0] * BATCH, lengths=[0] * BATCH).tolist() == [0] * BATCH
    x = mg.tensor(logits()[:, :0], requires_grad=True)
    y = losses(x, TARGETS[:0], TIMES[:0], LENGTHS[:0], reduction="mean")
    y.backward()
    assert y.item() == 0
    assert x.grad.shape == (STEPS, 0, CLASSES)


def test_long_sequences_do_not_underflow():
    steps = 2000
    x = mg.tensor(np.zeros((steps, 1, 3), "float32"), requires_grad=True)
    y = losses(x, np.array([[1, 2] * 20]), [steps], [40])
    y.sum().backward()
    assert 1000 < y.item() < steps * np.log(3)
    assert np.isfinite(x.grad.numpy()).all()
    np.testing.assert_allclose(x.grad.numpy().sum(2), 0, atol=1e-3)


def test_three_forms_agree():
    """The kernel, its slopes and the composition, on which higher orders rest."""
    log_probs = F.log_softmax(logits(), -1)
    places = np.zeros((BATCH, 7), int)
    places[:, 1::2] = TARGETS
    barrier = np.where(TARGETS[:, 1:] == TARGETS[:, :-1], -np.inf, 0.0)
    params = (places, barrier, TIMES, LENGTHS)
    found = []
    for f in (CTC, CTC.op.composed):
        x = mg.tensor(log_probs, requires_grad=True)
        y = f(x, *params)
        (y * np.arange(1.0, 6)).sum().backward()
        found.append((y.detach().numpy(), x.grad.numpy()))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_second_order_with_an_impossible_row():
    x = mg.tensor(logits()[:2, :2], requires_grad=True)
    assert gradgradcheck(lambda a: losses(a, np.array([[1, 1], [1, 2]]), [2, 2], [2, 2], zero_infinity=True), x, atol=1e-4)


def test_on_the_double():
    """Padded targets make nobody wait; targets in a row wait once for their lengths; nothing moves a tensor by itself."""
    x, arrays = logits("float32"), (TARGETS, TIMES, LENGTHS)
    with no_sync():
        there = losses(put(x), *map(put, arrays))
    np.testing.assert_allclose(there.get(), losses(x), rtol=1e-6)
    np.testing.assert_allclose(losses(put(x), put(IN_A_ROW), TIMES, LENGTHS).get(), losses(x), rtol=1e-6)
    with pytest.raises((DeviceError, MinigradError)):
        losses(put(x), *arrays)


@pytest.mark.torch
@pytest.mark.parametrize("settings", [{}, {"reduction": "sum"}, {"reduction": "none"}, {"blank": 3}, {"zero_infinity": True}])
@pytest.mark.parametrize("in_a_row", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_against_pytorch(settings, in_a_row, dtype):
    """Through log_softmax, where PyTorch's gradient, which has exp(log_probs) added, is the same."""
    torch = pytest.importorskip("torch")
    shift = settings.get("blank", 0)
    times = np.where(np.arange(BATCH) == 4, 2, TIMES) if "zero_infinity" in settings else TIMES
    targets = (IN_A_ROW if in_a_row else TARGETS) - (shift > 0)
    targets = np.where(targets < 0, 0, targets)
    x, u = mg.tensor(logits(dtype), requires_grad=True), torch.tensor(logits(dtype), requires_grad=True)
    mine = mg.nn.CTCLoss(**settings)(F.log_softmax(x, -1), mg.tensor(targets), times, LENGTHS)
    theirs = torch.nn.CTCLoss(**settings)(u.log_softmax(-1), *map(torch.tensor, (targets, times, LENGTHS)))
    np.testing.assert_allclose(mine.detach().numpy(), theirs.detach().numpy(), rtol=1e-5 if dtype == "float32" else 1e-12)
    w = np.arange(1, 1 + mine.size).reshape(mine.shape).astype(dtype)
    (mine * w).sum().backward(), (theirs * torch.tensor(w)).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), u.grad.numpy(), rtol=1e-5, atol=2e-6 if dtype == "float32" else 1e-12)
