"""Losses and distances: PyTorch as the judge, papers where it has none, and what bad arguments must do."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F
from minigrad.testing.double import DoubleArray, no_sync, put, register

register()
RNG = np.random.default_rng(3)


def draw(*shape, low=None, high=None):
    x = RNG.normal(size=shape) if low is None else RNG.uniform(low, high, size=shape)
    return x.astype("float32")


LABELS = np.array([2, 0, 3, 1, 1, 0])
PIXELS = RNG.integers(0, 4, (2, 3, 5))
SIGNS = np.array([1, -1, -1, 1, 1, -1])
SIGN_GRID = np.where(draw(6, 4) > 0, 1, -1)
MASKS = (draw(6, 4) > 0).astype("float32")
PROBS = draw(6, 4, low=0.05, high=0.95)
LOGS = np.log(PROBS)
SOFT = np.asarray(PROBS / PROBS.sum(1, keepdims=True))
COUNTS = RNG.integers(0, 9, (6, 4)).astype("float32")
WHOLE = COUNTS.astype("int64")
VAR = draw(6, 4, low=0.1, high=2)
MANY = np.array([[2, 0, -1, 1], [-1, 0, 0, 0], [3, 2, 1, 0], [0, -1, -1, -1], [1, 3, 0, -1], [2, -1, 3, 3]])
WEIGHT = np.array([0.5, 2.0, 1.5, 0.1], "float32")
EACH = draw(6, 4, low=0, high=2)
ROWS = (6, 4)


# -- the oracle -------------------------------------------------------------------------------------------------------
def reductions(name, kwargs, *inputs):
    return [(name, {**kwargs, "reduction": r}, *inputs) for r in ("mean", "sum", "none")]


ORACLE = [
    *reductions("MSELoss", {}, ROWS, ROWS),
    ("MSELoss", {}, (2, 3, 4, 5), (2, 3, 4, 5)),
    *reductions("L1Loss", {}, ROWS, ROWS),
    ("L1Loss", {}, (7,), (7,)),
    *reductions("HuberLoss", {"delta": 0.5}, ROWS, ROWS),
    ("HuberLoss", {}, ROWS, ROWS),
    *reductions("SmoothL1Loss", {"beta": 0.5}, ROWS, ROWS),
    ("SmoothL1Loss", {"beta": 0.0}, ROWS, ROWS),
    *reductions("CrossEntropyLoss", {}, ROWS, LABELS),
    *reductions("CrossEntropyLoss", {"weight": WEIGHT, "label_smoothing": 0.1}, ROWS, LABELS),
    ("CrossEntropyLoss", {"ignore_index": 1, "label_smoothing": 0.2}, ROWS, LABELS),
    ("CrossEntropyLoss", {"weight": WEIGHT, "ignore_index": 0}, (2, 4, 3, 5), PIXELS),
    ("CrossEntropyLoss", {"label_smoothing": 0.1, "weight": WEIGHT}, ROWS, SOFT),
    ("CrossEntropyLoss", {}, (4,), np.array(2)),
    *reductions("NLLLoss", {"weight": WEIGHT}, ROWS, LABELS),
    ("NLLLoss", {"ignore_index": 1}, ROWS, LABELS),
    ("NLLLoss", {"weight": WEIGHT, "ignore_index": 2}, (2, 4, 3, 5), PIXELS),
    *reductions("BCELoss", {}, PROBS, MASKS),
    ("BCELoss", {"weight": WEIGHT}, PROBS, MASKS),
    ("BCELoss", {"weight": EACH, "reduction": "sum"}, PROBS, SOFT),
    *reductions("BCEWithLogitsLoss", {}, ROWS, MASKS),
    ("BCEWithLogitsLoss", {"pos_weight": WEIGHT}, ROWS, MASKS),
    ("BCEWithLogitsLoss", {"weight": EACH, "pos_weight": WEIGHT, "reduction": "none"}, ROWS, SOFT),
    *reductions("KLDivLoss", {}, LOGS, SOFT),
    *reductions("KLDivLoss", {"log_target": True}, LOGS, np.log(SOFT)),
    ("KLDivLoss", {"reduction": "batchmean"}, LOGS, SOFT),
    ("KLDivLoss", {"reduction": "batchmean", "log_target": True}, LOGS, np.log(SOFT)),
    *reductions("PoissonNLLLoss", {}, ROWS, COUNTS),
    *reductions("PoissonNLLLoss", {"full": True}, ROWS, WHOLE),  # integers: PyTorch's gradient to a count of 0 is NaN
    ("PoissonNLLLoss", {"log_input": False, "eps": 1e-3}, VAR, COUNTS),
    ("PoissonNLLLoss", {"log_input": False, "full": True}, VAR, WHOLE),
    *reductions("GaussianNLLLoss", {}, ROWS, ROWS, VAR),
    ("GaussianNLLLoss", {"full": True, "eps": 0.5}, ROWS, ROWS, VAR),
    ("GaussianNLLLoss", {"full": True}, ROWS, ROWS, VAR[:, 0]),
    ("GaussianNLLLoss", {"reduction": "none"}, ROWS, ROWS, VAR[:, :1]),
    *reductions("HingeEmbeddingLoss", {}, ROWS, SIGN_GRID),
    ("HingeEmbeddingLoss", {"margin": 0.3}, (6,), SIGNS),
    *reductions("MarginRankingLoss", {}, (6,), (6,), SIGNS),
    ("MarginRankingLoss", {"margin": 0.7}, ROWS, ROWS, SIGN_GRID),
    *reductions("MultiMarginLoss", {}, ROWS, LABELS),
    ("MultiMarginLoss", {"p": 2, "margin": 0.5}, ROWS, LABELS),
    ("MultiMarginLoss", {"weight": WEIGHT, "p": 2}, ROWS, LABELS),
    ("MultiMarginLoss", {"weight": WEIGHT, "reduction": "none"}, ROWS, LABELS),
    ("MultiMarginLoss", {}, (4,), np.array(2)),
    *reductions("MultiLabelMarginLoss", {}, ROWS, MANY),
    ("MultiLabelMarginLoss", {}, (4,), MANY[0]),
    *reductions("MultiLabelSoftMarginLoss", {}, ROWS, MASKS),
    ("MultiLabelSoftMarginLoss", {"weight": WEIGHT}, ROWS, MASKS),
    ("MultiLabelSoftMarginLoss", {"weight": WEIGHT, "reduction": "none"}, (4,), MASKS[0]),
    *reductions("SoftMarginLoss", {}, ROWS, SIGN_GRID),
    ("SoftMarginLoss", {}, (6,), SIGNS),
    *reductions("CosineEmbeddingLoss", {"margin": 0.2}, ROWS, ROWS, SIGNS),
    ("CosineEmbeddingLoss", {}, ROWS, ROWS, SIGNS),
    ("CosineEmbeddingLoss", {}, (4,), (4,), np.array(-1)),
    *reductions("TripletMarginLoss", {}, ROWS, ROWS, ROWS),
    ("TripletMarginLoss", {"p": 1.0, "margin": 0.3}, ROWS, ROWS, ROWS),
    ("TripletMarginLoss", {"p": 3.0, "swap": True, "eps": 1e-3}, ROWS, ROWS, ROWS),
    ("TripletMarginLoss", {"swap": True}, (4,), (4,), (4,)),
    *reductions("TripletMarginWithDistanceLoss", {}, ROWS, ROWS, ROWS),
    ("TripletMarginWithDistanceLoss", {"swap": True, "margin": 2.0}, ROWS, ROWS, ROWS),
    ("CosineSimilarity", {}, ROWS, ROWS),
    ("CosineSimilarity", {"dim": 0}, ROWS, ROWS),
    ("CosineSimilarity", {"dim": -1, "eps": 1e-3}, (2, 3, 4), (2, 3, 4)),
    ("CosineSimilarity", {"dim": 1}, (2, 3, 4), (3, 1)),
    ("PairwiseDistance", {}, ROWS, ROWS),
    ("PairwiseDistance", {"p": 1.0, "keepdim": True}, ROWS, ROWS),
    ("PairwiseDistance", {"p": 3.0, "eps": 1e-2}, ROWS, (4,)),
    ("PairwiseDistance", {"p": math.inf}, (4,), (4,)),
]


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
@pytest.mark.parametrize("case", ORACLE, ids=lambda c: f"{c[0]}-{'-'.join(map(str, c[1]))}-{c[1].get('reduction', '')}")
def test_against_pytorch(agrees, case):
    name, kwargs, *inputs = case
    agrees(name, (), kwargs, *inputs, modes=(True,))


@pytest.mark.torch
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_weights_of_errors(name, reduction):
    torch = pytest.importorskip("torch")
    a, b = draw(*ROWS), draw(*ROWS)
    x, u = mg.tensor(a, requires_grad=True), torch.tensor(a, requires_grad=True)
    mine = getattr(F, name)(x, b, reduction=reduction, weight=EACH)
    theirs = getattr(torch.nn.functional, name)(u, torch.tensor(b), reduction=reduction, weight=torch.tensor(EACH))
    np.testing.assert_allclose(mine.detach().numpy(), theirs.detach().numpy(), rtol=1e-5)
    mine.sum().backward(), theirs.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), u.grad.numpy(), rtol=1e-5)


@pytest.mark.torch
@pytest.mark.parametrize("p", [0.0, 1.0, 2.0, 3.5, math.inf])
def test_pdist_against_pytorch(p):
    torch = pytest.importorskip("torch")
    a = draw(7, 3)
    x, u = mg.tensor(a, requires_grad=p != 0), torch.tensor(a, requires_grad=p != 0)
    y, z = F.pdist(x, p), torch.nn.functional.pdist(u, p)
    np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), rtol=1e-5)
    if p:
        (y * y).sum().backward(), (z * z).sum().backward()
        np.testing.assert_allclose(x.grad.numpy(), u.grad.numpy(), rtol=1e-4, atol=1e-5)


# -- what PyTorch does not have ---------------------------------------------------------------------------------------
def test_log_cosh_is_exact_near_and_far():
    x = np.array([0.0, 1e-20, 1e-4, -1e-4, 0.9999, 1.0, 5.0, -300.0, 1e30], "float32")
    with np.errstate(over="ignore"):
        y = nn.LogCoshLoss(reduction="none")(mg.tensor(x), mg.tensor(np.zeros_like(x))).numpy()
    wide = x.astype("float64")
    far = abs(wide) - math.log(2)
    want = np.where(abs(wide) < 1e-2, wide**2 / 2, np.where(abs(wide) > 50, far, np.log(np.cosh(np.clip(wide, -50, 50)))))
    np.testing.assert_allclose(y, want, rtol=1e-6, atol=1e-38)


def test_focal_loss_is_cross_entropy_at_0():
    x, y = mg.tensor(draw(*ROWS)), mg.tensor(LABELS)
    np.testing.assert_allclose(nn.FocalLoss(gamma=0)(x, y).item(), nn.CrossEntropyLoss()(x, y).item(), rtol=1e-6)
    t = mg.tensor(MASKS)
    np.testing.assert_allclose(nn.FocalLoss(gamma=0)(x, t).item(), nn.BCEWithLogitsLoss()(x, t).item(), rtol=1e-6)
    np.testing.assert_allclose(nn.FocalLoss(0.5, 0)(x, t).item() * 2, nn.BCEWithLogitsLoss()(x, t).item(), rtol=1e-6)


def test_focal_loss_of_two_classes_is_the_binary_one():
    x = draw(6)
    t = np.array([0, 1, 1, 0, 1, 0])
    binary = nn.FocalLoss(alpha=0.25)(mg.tensor(x), mg.tensor(t))
    two = nn.FocalLoss(alpha=[0.75, 0.25])(mg.tensor(np.stack([np.zeros(6, "float32"), x], 1)), mg.tensor(t))
    assert binary.item() == pytest.approx(two.item(), rel=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_focal_loss_is_finite_at_any_logit(gamma):
    for target in (np.array([1, 0]), np.array([[1, 0], [0, 1]])):
        x = mg.tensor(np.array([[1e4, -1e4], [1e4, -1e4]], "float32"), requires_grad=True)
        y = F.focal_loss(x, target, gamma=gamma, reduction="sum")
        y.backward()
        assert y.item() == 20000  # two of four are wrong by 1e4, or one of two rows by 2e4
        assert np.isfinite(x.grad.numpy()).all()


def test_dice_loss():
    p, t = draw(2, 3, 4, 5, low=0, high=1), (draw(2, 3, 4, 5) > 0).astype("float32")
    want = 1 - 2 * (p * t).sum((2, 3)) / ((p * p).sum((2, 3)) + (t * t).sum((2, 3)))
    np.testing.assert_allclose(nn.DiceLoss(0.0, reduction="none")(mg.tensor(p), mg.tensor(t)).numpy(), want, rtol=1e-5)
    empty = mg.tensor(np.zeros((1, 2, 3), "float32"), requires_grad=True)
    y = nn.DiceLoss()(empty, mg.tensor(np.zeros((1, 2, 3), "float32")))
    y.backward()
    assert y.item() == 0
    assert np.isfinite(empty.grad.numpy()).all()
    labels = np.array([[0, 2, 1]])
    masks = np.eye(3, dtype="float32")[labels].swapaxes(1, 2)
    q = mg.tensor(draw(1, 3, 3, low=0, high=1))
    assert F.dice_loss(q, labels).item() == pytest.approx(F.dice_loss(q, masks).item(), rel=1e-6)


def test_contrastive_loss_pulls_and_pushes():
    a = mg.tensor([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]], requires_grad=True)
    y = nn.ContrastiveLoss(margin=2.0, reduction="sum")(a, mg.tensor([[1.0, 0.0], [1.0, 0.0], [3.0, 0.0]]), mg.tensor([0, 1, 1]))
    y.backward()
    assert y.item() == 1.0
    assert a.grad.tolist() == [[-1, 0], [1, 0], [0, 0]]


# -- conventions ------------------------------------------------------------------------------------------------------
def slope(loss, x, *rest):
    x = mg.tensor(np.asarray(x, "float32"), requires_grad=True)
    y = loss(x, *rest)
    y.backward()
    return y.item(), x.grad.numpy()


NONE, NOBODY = np.zeros((0, 4), "float32"), np.zeros(0, int)
EMPTY = [
    (nn.MSELoss(), NONE, NONE),
    (nn.L1Loss(), NONE, NONE),
    (nn.HuberLoss(), NONE, NONE),
    (nn.SmoothL1Loss(), NONE, NONE),
    (nn.LogCoshLoss(), NONE, NONE),
    (nn.CrossEntropyLoss(), NONE, NOBODY),
    (nn.CrossEntropyLoss(WEIGHT, label_smoothing=0.1), NONE, NOBODY),
    (nn.CrossEntropyLoss(), NONE, NONE),
    (nn.NLLLoss(), NONE, NOBODY),
    (nn.NLLLoss(WEIGHT), NONE, NOBODY),
    (nn.BCELoss(), NONE, NONE),
    (nn.BCEWithLogitsLoss(), NONE, NONE),
    (nn.KLDivLoss(), NONE, NONE),
    (nn.KLDivLoss("batchmean"), NONE, NONE),
    (nn.PoissonNLLLoss(), NONE, NONE),
    (nn.GaussianNLLLoss(), NONE, NONE, NONE),
    (nn.HingeEmbeddingLoss(), NONE, NONE),
    (nn.MarginRankingLoss(), NONE, NONE, NONE),
    (nn.MultiMarginLoss(), NONE, NOBODY),
    (nn.MultiLabelMarginLoss(), NONE, NONE.astype(int)),
    (nn.MultiLabelSoftMarginLoss(), NONE, NONE),
    (nn.SoftMarginLoss(), NONE, NONE),
    (nn.CosineEmbeddingLoss(), NONE, NONE, NOBODY),
    (nn.ContrastiveLoss(), NONE, NONE, NOBODY),
    (nn.TripletMarginLoss(), NONE, NONE, NONE),
    (nn.TripletMarginWithDistanceLoss(), NONE, NONE, NONE),
    (nn.FocalLoss(), NONE, NOBODY),
    (nn.FocalLoss(), NONE, NONE),
    (nn.DiceLoss(), np.zeros((0, 2, 3)), np.zeros((0, 2, 3))),
]


@pytest.mark.parametrize("case", EMPTY, ids=lambda c: repr(c[0]))
def test_a_batch_of_nothing_costs_nothing(case):
    loss, x, *rest = case
    y, g = slope(loss, x, *rest)
    assert y == 0
    assert g.shape == x.shape


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss, nn.NLLLoss, nn.FocalLoss], ids=lambda c: c.__name__)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_all_labels_ignored(loss, reduction):
    y, g = slope(loss(ignore_index=7, reduction=reduction), draw(3, 4), np.full(3, 7))
    assert y == 0
    assert not g.any()


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_weights_that_are_all_0(reduction):
    for loss in (nn.CrossEntropyLoss(np.zeros(4), reduction=reduction), nn.NLLLoss(np.zeros(4), reduction=reduction)):
        y, g = slope(loss, draw(6, 4), LABELS)
        assert y == 0
        assert not g.any()
    y, g = slope(lambda x: F.mse_loss(x, draw(6, 4), reduction, weight=np.zeros((6, 4))), draw(6, 4))
    assert y == 0
    assert not g.any()


def test_equal_things_are_moved_apart():
    """At their hinges, losses have the slope of the rising side, as in PyTorch."""
    assert slope(nn.MarginRankingLoss(), [1.0], [1.0], np.array([1]))[1].tolist() == [-1]
    assert slope(nn.HingeEmbeddingLoss(), [1.0], np.array([-1]))[1].tolist() == [-1]


def test_gaussian_variances_below_eps_can_leave():
    var = mg.tensor(np.array([0.0, 1e-9, 1.0]), requires_grad=True)
    y = F.gaussian_nll_loss(np.zeros(3), np.ones(3), var, eps=1e-3, reduction="none")
    y.sum().backward()
    at = np.array([1e-3, 1e-3, 1.0])
    np.testing.assert_allclose(y.detach().numpy(), (np.log(at) + 1 / at) / 2)
    np.testing.assert_allclose(var.grad.numpy(), (1 / at - 1 / at**2) / 2)


def test_kl_of_impossible_outcomes():
    y = F.kl_div(np.log([0.5, 0.5]), np.array([1.0, 0.0]), reduction="none")
    np.testing.assert_allclose(y, [math.log(2), 0])


def test_probabilities_0_and_1_have_finite_losses_and_gradients():
    y, g = slope(nn.BCELoss(reduction="sum"), [0.0, 1.0, 0.0, 1.0], np.array([1.0, 0.0, 0.0, 1.0], "float32"))
    assert y == 200
    assert np.isfinite(g).all()
    assert abs(g[0]) >= 1e11
    y, g = slope(nn.BCEWithLogitsLoss(reduction="none"), 1e4, np.array(0.0, "float32"))
    assert (y, g) == (1e4, 1)
    y, g = slope(nn.BCEWithLogitsLoss(reduction="none"), -1e4, np.array(0.0, "float32"))
    assert (y, g) == (0, 0)


def test_half_precision_vectors_of_zeros():
    zeros, ones = np.zeros((1, 3), "float16"), np.ones((1, 3), "float16")
    assert F.cosine_similarity(zeros, ones).tolist() == [0]
    assert F.cosine_embedding_loss(zeros, ones, np.array([1])).item() == 1


def test_half_precision_means_do_not_overflow():
    x = np.full(1000, 200.0, "float16")
    assert F.mse_loss(x, np.zeros(1000, "float16")).item() == pytest.approx(40000, rel=1e-3)
    assert F.l1_loss(np.tile(x, 10), np.zeros(10000, "float16")).item() == 200


def test_integers_as_targets_do_not_widen():
    x = mg.tensor(draw(6))
    for y in (F.mse_loss(x, SIGNS), F.soft_margin_loss(x, SIGNS), F.margin_ranking_loss(x, x, SIGNS), F.hinge_embedding_loss(x, SIGNS)):
        assert y.dtype == np.float32


def test_constants_are_moved_and_saved():
    """As in PyTorch, class weights are part of the state."""
    loss = nn.CrossEntropyLoss(weight=[1.0, 2.0])
    assert list(loss.state_dict()) == ["weight"]
    assert loss.double().weight.dtype == np.float64
    assert len(list(loss.buffers())) == 1
    assert abs(loss(mg.tensor([[0.0, 0.0]]), mg.tensor([1])).item() - np.log(2)) < 1e-6
    assert list(nn.BCEWithLogitsLoss(pos_weight=[2.0]).state_dict()) == ["pos_weight"]
    assert nn.CrossEntropyLoss().state_dict() == {}
    other = nn.CrossEntropyLoss(weight=[0.0, 0.0])
    other.load_state_dict(loss.float().state_dict())
    assert other.weight.tolist() == [1.0, 2.0]


# -- on the double of a GPU -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "case",
    [
        (nn.CrossEntropyLoss(WEIGHT), (6, 4), LABELS),
        (nn.MultiMarginLoss(weight=WEIGHT), (6, 4), LABELS),
        (nn.MultiLabelMarginLoss(), (6, 4), MANY),
        (nn.FocalLoss(alpha=WEIGHT), (6, 4), LABELS),
        (nn.TripletMarginLoss(), (6, 4), EACH, MASKS),
        (nn.GaussianNLLLoss(eps=0.5), (6, 4), EACH, VAR),
    ],
    ids=lambda c: type(c[0]).__name__,
)
def test_modules_on_the_double(case):
    """Modules move their constants; nobody waits."""
    loss, shape, *rest = case
    a = draw(*shape)
    want = loss(mg.tensor(a), *rest)
    loss.to(device="double")
    x = mg.tensor(put(a), requires_grad=True)
    there = [put(v) for v in rest]
    with no_sync():
        y = loss(x, *there)
        y.backward()
    loss.to(device="cpu")
    assert isinstance(y.data, DoubleArray)
    assert y.item() == pytest.approx(want.item(), rel=1e-5)
