"""Losses with bad arguments: shapes that would broadcast, labels and weights that do not fit, settings out of range."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import DTypeError, IndexRangeError, ShapeError
from minigrad.nn import functional as F

COLUMN = {
    "mse_loss": (),
    "l1_loss": (),
    "huber_loss": (),
    "smooth_l1_loss": (),
    "log_cosh_loss": (),
    "binary_cross_entropy": (),
    "binary_cross_entropy_with_logits": (),
    "kl_div": (),
    "poisson_nll_loss": (),
    "gaussian_nll_loss": (1.0,),
    "hinge_embedding_loss": (),
    "soft_margin_loss": (),
    "multilabel_soft_margin_loss": (),
    "margin_ranking_loss": (np.ones(3),),
    "cosine_embedding_loss": (np.ones(3),),
    "contrastive_loss": (np.ones(3),),
    "triplet_margin_loss": (np.ones(3),),
    "triplet_margin_with_distance_loss": (np.ones(3),),
    "nll_loss": (),
    "cross_entropy": (),
    "multi_margin_loss": (),
    "multilabel_margin_loss": (),
    "focal_loss": (),
    "dice_loss": (),
}


@pytest.mark.parametrize("name", COLUMN)
def test_a_column_is_not_broadcast_against_a_row(name):
    """(N,) against (N, 1) would be N * N losses."""
    labels = name in ("nll_loss", "cross_entropy", "multi_margin_loss", "multilabel_margin_loss")
    one = np.ones((3, 2, 4) if name == "dice_loss" else (3, 4) if labels else 3)
    other = np.zeros((3, 1), int) if labels else np.ones((3, 1))
    with pytest.raises(ShapeError, match=r"\(3, 1\)") as caught:
        getattr(F, name)(one, other, *COLUMN[name])
    assert name in str(caught.value)
    assert str(one.shape) in str(caught.value) or "(3,)" in str(caught.value)


LABELLED = {"cross_entropy": {}, "nll_loss": {}, "multi_margin_loss": {}, "focal_loss": {}}
BAD_LABELS = [
    (np.array([5, 0, 0]), IndexRangeError, "label 5 at row 0, 3 classes"),
    (np.array([0, 3, 0]), IndexRangeError, "label 3 at row 1, 3 classes"),
    (np.array([0, 0, -1]), IndexRangeError, "label -1 at row 2, 3 classes"),
    (np.array([0.0, 1.0, 2.0]), DTypeError, "integers"),
    (np.array([True, False, True]), DTypeError, "integers"),
    (np.array([0, 1]), ShapeError, "(2,)"),
]


@pytest.mark.parametrize("name", LABELLED)
@pytest.mark.parametrize("case", BAD_LABELS, ids=lambda c: c[2])
def test_bad_labels(name, case):
    target, error, words = case
    for x, t in ((np.ones((3, 3)), target), (mg.tensor(np.ones((3, 3))), mg.tensor(target))):
        with pytest.raises(error) as caught:
            getattr(F, name)(x, t)
        assert words in str(caught.value)
        assert name in str(caught.value)


@pytest.mark.parametrize("name", LABELLED)
def test_weights_of_another_number_of_classes(name):
    key = "alpha" if name == "focal_loss" else "weight"
    for wrong in (np.ones(2), np.ones(4), np.ones((3, 1)), np.ones(())):
        with pytest.raises((ShapeError, ValueError), match=name):
            getattr(F, name)(np.ones((3, 3)), np.array([0, 1, 2]), **{key: wrong})


@pytest.mark.parametrize("name", ["binary_cross_entropy", "binary_cross_entropy_with_logits"])
@pytest.mark.parametrize("shape", [(2,), (3, 1), (1, 1, 3)])
def test_weights_that_would_broadcast_the_losses(name, shape):
    for key in ["weight", *(["pos_weight"] if "logits" in name else [])]:
        with pytest.raises(ShapeError) as caught:
            getattr(F, name)(np.full(3, 0.5), np.ones(3), **{key: np.ones(shape)})
        assert f"{name}: {key}" in str(caught.value)


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
def test_weights_of_errors_are_one_each(name):
    with pytest.raises(ShapeError, match=rf"{name}: weight .*\(1,\)"):
        getattr(F, name)(np.ones(3), np.ones(3), weight=np.ones(1))


@pytest.mark.parametrize("value", [1.5, -0.1, float("nan")])
def test_probabilities_outside_0_and_1(value):
    p = np.array([0.5, value])
    with pytest.raises(ValueError, match="binary_cross_entropy"):
        F.binary_cross_entropy(p, np.ones(2))
    with pytest.raises(ValueError, match="dice_loss"):
        F.dice_loss(p.reshape(1, 1, 2), np.ones((1, 1, 2)))
    with pytest.raises(ValueError, match="focal_loss"):
        F.focal_loss(np.ones(2), p)


MODULES = [getattr(nn, name) for name in nn.loss.__all__ if name != "AdaptiveLogSoftmaxWithLoss"]


@pytest.mark.parametrize("loss", MODULES, ids=lambda c: c.__name__)
def test_a_misspelt_reduction(loss):
    for wrong in ("average", "Mean", "", None):
        with pytest.raises(ValueError, match=rf"{loss.__name__}: reduction must be .*'mean'"):
            loss(reduction=wrong)


FUNCTIONS = [("mse_loss", (3,), (3,)), ("kl_div", (3,), (3,)), ("multi_margin_loss", (3, 3), None), ("nll_loss", (3, 3), None)]


@pytest.mark.parametrize(("name", "shape", "other"), FUNCTIONS)
def test_a_misspelt_reduction_of_a_function(name, shape, other):
    with pytest.raises(ValueError, match=f"{name}: reduction .*'average'"):
        getattr(F, name)(np.ones(shape), np.array([0, 1, 2]) if other is None else np.ones(other), reduction="average")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nn.HuberLoss(delta=0), "HuberLoss: delta must be positive, got 0"),
        (lambda: nn.SmoothL1Loss(beta=-1), "SmoothL1Loss: beta"),
        (lambda: nn.CrossEntropyLoss(label_smoothing=1.5), "CrossEntropyLoss: label_smoothing"),
        (lambda: nn.PoissonNLLLoss(eps=0), "PoissonNLLLoss: eps"),
        (lambda: nn.GaussianNLLLoss(eps=-1), "GaussianNLLLoss: eps"),
        (lambda: nn.MultiMarginLoss(p=3), "MultiMarginLoss: p must be 1 or 2"),
        (lambda: nn.CosineEmbeddingLoss(margin=2), "CosineEmbeddingLoss: margin"),
        (lambda: nn.ContrastiveLoss(margin=0), "ContrastiveLoss: margin"),
        (lambda: nn.TripletMarginLoss(margin=0), "TripletMarginLoss: margin"),
        (lambda: nn.TripletMarginWithDistanceLoss(margin=-1), "TripletMarginWithDistanceLoss: margin"),
        (lambda: nn.FocalLoss(gamma=-1), "FocalLoss: gamma"),
        (lambda: nn.FocalLoss(alpha=2.0), "FocalLoss: alpha"),
        (lambda: nn.DiceLoss(smooth=-1), "DiceLoss: smooth"),
        (lambda: nn.CTCLoss(blank=-1), "CTCLoss: blank"),
        (lambda: nn.CosineSimilarity(eps=0), "CosineSimilarity: eps"),
    ],
)
def test_bad_settings(make, words):
    with pytest.raises(ValueError, match=words):
        make()
