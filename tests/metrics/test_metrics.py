"""Metrics: their definitions in plain NumPy, merging, refusals, devices; scikit-learn where it is installed."""

import inspect
import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import metrics
from minigrad.errors import CheckpointError, DTypeError, IndexRangeError, ShapeError
from minigrad.io import load_run, save_run
from minigrad.metrics import AUROC, F1, MAE, MSE, R2, RMSE, Accuracy, ConfusionMatrix, Metric, Perplexity, Precision, Recall, TopK
from minigrad.testing.double import no_sync, put, register

register()


def classes(n=60, c=4, more=(), seed=0):
    """Scores (n, c, ...), some of them equal, and labels."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, c, *more)).round(1).astype("float32"), rng.integers(0, c, (n, *more))


def binary(n=60, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=n).round(1).astype("float32"), rng.integers(0, 2, n)


def numbers(n=60, more=(), seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, *more)).astype("float32"), rng.normal(size=(n, *more)).astype("float32")


def softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def ignoring(pair, index):
    """The same with every fifth label replaced by ``index``."""
    scores, labels = pair
    labels = labels.copy()
    labels[::5] = index
    return scores, labels


# -- each by its definition -------------------------------------------------------------------------------------------
def accuracy(x, y):
    return (x.argmax(1) == y).mean()


def top(k):
    return lambda x, y: np.mean([label in np.argsort(-row, kind="stable")[:k] for row, label in zip(x, y, strict=True)])


def counts(x, y):
    out = np.zeros((x.shape[1],) * 2, "int64")
    for i, j in zip(y.ravel(), x.argmax(1).ravel(), strict=True):
        out[i, j] += 1
    return out


def per_class(kind, average):
    def reference(x, y):
        m = counts(x, y) if x.ndim > 1 else counts(np.stack([-x, x], 1), y)
        if average == "micro":
            m = np.array([[m.trace(), m.sum() - m.trace()], [m.sum() - m.trace(), 0]])
        hits, predicted, actual = m.diagonal(), m.sum(0), m.sum(1)
        part, whole = {"precision": (hits, predicted), "recall": (hits, actual), "f1": (2 * hits, predicted + actual)}[kind]
        shares = part / np.maximum(whole, 1)
        occurs = (predicted + actual) > 0
        if average == "macro":
            return shares[occurs].mean()
        if average == "weighted":
            return (shares * actual).sum() / actual.sum()
        return np.where(occurs, shares, np.nan) if average is None else shares[{"micro": 0, "binary": 1}[average]]

    return reference


def area(s, positive):
    pairs = np.subtract.outer(s[positive], s[~positive])
    return ((pairs > 0) + 0.5 * (pairs == 0)).mean()


def areas(x, y):
    return np.mean([area(softmax(x.astype("float64"))[:, c], y == c) for c in range(x.shape[1])])


def perplexity(x, y):
    logp = np.log(softmax(x.astype("float64")))
    return math.exp(-np.take_along_axis(logp, y[:, None], 1).mean())


def r2(x, y):
    x, y = x.astype("float64"), y.astype("float64")
    return np.mean(1 - ((y - x) ** 2).sum(0) / ((y - y.mean(0)) ** 2).sum(0))


def mean(f):
    return lambda x, y: f(x.astype("float64") - y.astype("float64"))


CASES = {
    "accuracy": (lambda: Accuracy(), classes(), accuracy),
    "accuracy of pixels": (lambda: Accuracy(), classes(more=(3, 2)), accuracy),
    "accuracy of logits": (lambda: Accuracy(threshold=0), binary(), lambda x, y: ((x > 0) == y).mean()),
    "accuracy of labels": (lambda: Accuracy(), (classes()[1], classes(seed=1)[1]), lambda x, y: (x == y).mean()),
    "top 1": (lambda: TopK(1), classes(), accuracy),
    "top 2": (lambda: TopK(2), classes(), top(2)),
    "top 4": (lambda: TopK(4), classes(), lambda x, y: 1.0),
    "matrix": (lambda: ConfusionMatrix(), classes(), counts),
    "matrix of pixels": (lambda: ConfusionMatrix(4), classes(more=(3,)), counts),
    "matrix by rows": (lambda: ConfusionMatrix(normalize="true"), classes(), lambda x, y: counts(x, y) / counts(x, y).sum(1)[:, None]),
    "matrix by columns": (lambda: ConfusionMatrix(normalize="pred"), classes(), lambda x, y: counts(x, y) / counts(x, y).sum(0)),
    "matrix of shares": (lambda: ConfusionMatrix(normalize="all"), classes(), lambda x, y: counts(x, y) / len(y)),
    **{
        f"{kind.__name__} {average} {what}": (
            lambda kind=kind, average=average, threshold=threshold: kind(average, threshold=threshold),
            data,
            per_class(kind.__name__.lower(), average),
        )
        for kind in (Precision, Recall, F1)
        for average in ("macro", "micro", "weighted", "binary", None)
        for what, threshold, data in (("classes", None, classes(c=5)), ("binary", 0.0, binary()))
        if (average, what) != ("binary", "classes")
    },
    "auroc": (lambda: AUROC(), binary(), lambda x, y: area(x, y == 1)),
    "auroc of classes": (lambda: AUROC(), classes(), areas),
    "perplexity": (lambda: Perplexity(), classes(), perplexity),
    "perplexity of texts": (lambda: Perplexity(), classes(n=8, c=5, more=(7,)), perplexity),
    "mae": (lambda: MAE(), numbers(), mean(lambda d: abs(d).mean())),
    "mse": (lambda: MSE(), numbers(more=(2, 3)), mean(lambda d: (d**2).mean())),
    "rmse": (lambda: RMSE(), numbers(more=(2,)), mean(lambda d: (d**2).mean() ** 0.5)),
    "r2": (lambda: R2(), numbers(), r2),
    "r2 of columns": (lambda: R2(), numbers(more=(3,)), r2),
}


@pytest.fixture(params=CASES)
def case(request):
    make, (x, y), reference = CASES[request.param]
    return make, x, y, reference


def close(got, want):
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-12)


def test_definition(case):
    make, x, y, reference = case
    for wrap in (np.asarray, mg.tensor, np.ndarray.tolist):
        metric = make()
        metric.update(wrap(x), wrap(y))
        close(metric.compute(), reference(x, y))
        assert isinstance(metric.compute(), (float, np.ndarray))


def test_any_split_and_merging_are_all_at_once(case):
    make, x, y, _ = case
    whole = make()
    whole.update(x, y)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        cuts = np.sort(rng.integers(0, len(x) + 1, 6))  # some parts are empty
        order = rng.permutation(len(x))
        parts = []
        for rows in np.split(order, cuts):
            parts.append(make())
            for half in np.array_split(rows, 2):
                parts[-1].update(x[half], y[half])
        rng.shuffle(parts)
        total = make()
        for part in parts:
            assert total.merge(part) is total
        close(total.compute(), whole.compute())


def test_state_survives_a_file(case, tmp_path):
    make, x, y, _ = case
    whole, first = make(), make()
    whole.update(x, y), first.update(x[:20], y[:20])
    save_run(first.state_dict(), tmp_path / "state.safetensors")
    second = first.fresh()
    second.load_state_dict(load_run(tmp_path / "state.safetensors"))
    first.update(x[20:], y[20:]), second.update(x[20:], y[20:])
    close(second.compute(), whole.compute())
    close(first.compute(), whole.compute())
    assert (repr(first).split("(")[0], first.name) == (type(first).__name__, make().name)


def test_without_data(case):
    make, x, y, _ = case
    for metric in (make(), make()):
        value = metric.compute()
        assert np.isnan(value).all() if not isinstance(metric, ConfusionMatrix) else not np.nansum(value)
        metric.update(x, y), metric.reset()
        again = metric.compute()
        assert np.shape(again) == np.shape(value)
    if not isinstance(make(), ConfusionMatrix):
        metric.update(x[:0], y[:0])
        assert np.isnan(metric.compute()).all()


def test_on_a_device_nothing_is_read_before_compute(case):
    make, x, y, reference = case
    metric, other, here = make(), make(), make()
    with no_sync():
        for a in (slice(None, 20), slice(20, 30)):
            metric.update(put(x[a]), mg.Tensor(put(y[a])))
        other.update(put(x[30:50]), put(y[30:50]))
        metric.merge(other)
    here.update(x[50:], y[50:])
    resumed = metric.fresh()
    resumed.load_state_dict(metric.state_dict())
    resumed.update(put(x[50:]), put(y[50:]))  # after a resume the sums come from the CPU
    close(resumed.compute(), reference(x, y))
    close(here.merge(metric).compute(), reference(x, y))


@pytest.mark.parametrize("index", [-100, -1, 2])
@pytest.mark.parametrize(
    ("make", "reference"),
    [
        (Accuracy, accuracy),
        (lambda ignore_index: TopK(2, ignore_index=ignore_index), top(2)),
        (ConfusionMatrix, counts),
        (F1, per_class("f1", "macro")),
        (AUROC, None),
        (Perplexity, perplexity),
    ],
)
def test_ignore_index(make, reference, index):
    x, y = ignoring(classes(), index)
    metric = make(ignore_index=index)
    metric.update(x, y)
    if reference is None:
        p = softmax(x.astype("float64"))[y != index]
        kept = y[y != index]
        reference = lambda x, y: np.mean([area(p[:, c], kept == c) for c in range(4) if (kept == c).any()])  # noqa: E731
    close(metric.compute(), reference(x[y != index], y[y != index]))
    metric.reset()
    metric.update(x[::5], y[::5])  # nothing but what is ignored
    assert np.isnan(metric.compute()) if not isinstance(metric, ConfusionMatrix) else metric.compute().sum() == 0


def test_labels_given_as_floats_and_booleans():
    x, y = binary()
    want = ((x > 0) == y).mean()
    for target in (y.astype("float32"), y.astype(bool), y.astype("uint8")):
        for metric, value in (
            (Accuracy(threshold=0), want),
            (F1("micro", threshold=0), want),
            (AUROC(), area(x, y == 1)),
            (Accuracy(threshold=0, ignore_index=-1), want),
        ):
            metric.update(x[:, None], target[:, None])
            close(metric.compute(), value)
    metric = Precision("binary", num_classes=2)
    metric.update(x > 0, y > 0)
    close(metric.compute(), y[x > 0].mean())


def test_labels_of_few_bits_and_many_classes():
    y = np.arange(200, dtype="uint8")
    matrix = ConfusionMatrix(200, ignore_index=7)
    matrix.update(y, y)
    want = np.eye(200, dtype="int64")
    want[7, 7] = 0
    assert np.array_equal(matrix.compute(), want)


def test_equal_and_missing_scores():
    flat = np.zeros((4, 3), "float32")
    for k, want in ((1, 0.25), (2, 0.75), (3, 1.0)):
        metric = TopK(k)
        metric.update(flat, [0, 1, 1, 2])
        assert metric.compute() == want
    flat[:] = np.nan
    metric = TopK(2)
    metric.update(flat, [0, 1, 1, 2])
    assert metric.compute() == 0
    for scores, want in (([0.5] * 4, 0.5), ([math.nan, 1, 2, 3], math.nan), ([math.inf, -math.inf, 0, 0], 0.5)):
        auroc = AUROC()
        auroc.update(np.array(scores, "float32"), [0, 0, 1, 1])
        close(auroc.compute(), want)
    auroc.reset()
    auroc.update([1.0, 2.0], [1, 1])
    assert math.isnan(auroc.compute())


def test_auroc_of_several_classes():
    x, y = classes(c=5)
    y[y == 4] = 0
    p = softmax(x.astype("float64"))
    each = np.array([area(p[:, c], y == c) if c < 4 else math.nan for c in range(5)])
    for average, want in ((None, each), ("macro", np.nanmean(each)), ("weighted", np.average(each[:4], weights=np.bincount(y)))):
        for metric, scores in ((AUROC(average), x), (AUROC(average, logits=False), p)):
            metric.update(scores, y)
            close(metric.compute(), want)
    for metric, scores in ((AUROC(), p), (AUROC(), p.astype("float32")), (AUROC(logits=False), x)):
        with pytest.raises(ValueError, match="logits="):
            metric.update(scores, y)
    wide, narrow = AUROC(), AUROC()
    wide.update(x, y), narrow.update(x[:, :4], y)
    with pytest.raises(ShapeError, match="the classes must be the same"):
        wide.merge(narrow)


def test_absent_classes():
    """What never occurs has no share; what occurs and is never hit has 0."""
    for metric, want in ((Precision(None, 4), [1, 0, 0, math.nan]), (Recall(None, 4), [0.5, 0, 0, math.nan])):
        metric.update([0, 1], [0, 0]), metric.update([1], [2])
        close(metric.compute(), want)
    close(Precision("macro", 4).merge(Precision("macro", 4)).compute(), math.nan)


def test_r2_keeps_its_digits_far_from_zero():
    rng = np.random.default_rng(0)
    y = rng.normal(size=4000)
    x = y + 0.1 * rng.normal(size=4000)
    near, far = R2(), R2()
    for part in np.split(np.arange(4000), 40):
        near.update(x[part], y[part])
        far.update(x[part] + 1e8, y[part] + 1e8)
    assert far.compute() == pytest.approx(near.compute(), abs=1e-6)
    for target, output, want in (([2.0, 2.0], [2.0, 2.0], 1.0), ([2.0, 2.0], [2.0, 3.0], 0.0), ([2.0], [2.0], math.nan)):
        metric = R2()
        metric.update(output, target)
        close(metric.compute(), want)


def test_half_precision_is_summed_in_double():
    x = np.full(70_000, 1.0, "float16")
    for metric in (MAE(), MSE(), RMSE()):
        metric.update(x, np.zeros_like(x))
        assert metric.compute() == 1.0


def test_perplexity_beyond_the_largest_number():
    metric = Perplexity()
    metric.update([[0.0, 2000.0]], [0])
    assert metric.compute() == math.inf
    with mg.enable_grad():
        x = mg.tensor([[0.0, 1.0]], requires_grad=True)
        metric.update(x, [0])
    assert not isinstance(metric.total, mg.Tensor)


def test_table():
    matrix = ConfusionMatrix(3)
    matrix.update([0, 1, 1, 1], [0, 1, 1, 2])
    assert matrix.table() == "true | predicted  0  1  2\n0                 1  0  0\n1                 0  2  0\n2                 0  1  0"
    rows, nothing = ConfusionMatrix(3, normalize="true"), ConfusionMatrix(3, normalize="true")
    rows.update([0, 1], [0, 0])
    assert rows.table("abc").splitlines()[1].split() == ["a", "0.500", "0.500", "0.000"]
    assert "nan" in nothing.table()
    with pytest.raises(ShapeError, match="2 names for 3"):
        matrix.table("ab")


X, Y = classes(6, 3)[0], np.array([0, 1, 2, 0, 1, 2])
REFUSED = [
    (lambda: TopK(0), None, ValueError, "k must be at least 1"),
    (lambda: F1("mean"), None, ValueError, "average must be"),
    (lambda: AUROC("micro"), None, ValueError, "average must be"),
    (lambda: ConfusionMatrix(normalize="rows"), None, ValueError, "normalize must be"),
    (Accuracy, (X, Y + 1), IndexRangeError, r"label 3 at row \d, 3 classes"),
    (Accuracy, (X, -1 - Y), IndexRangeError, "Accuracy: label"),
    (Accuracy, (X[:, 0], Y > 1), ValueError, "0 for logits, 0.5 for probabilities"),
    (lambda: Accuracy(0.5), (X[:, 0], Y), IndexRangeError, "2 classes"),
    (lambda: Accuracy(0.5), (X[:, 0], Y[:, None]), ShapeError, r"got \(6,\) and \(6, 1\)"),
    (lambda: Accuracy(0.5), (X[:, :1], Y), ShapeError, r"got \(6, 1\) and \(6,\)"),
    (Accuracy, (X, Y[:5]), ShapeError, r"got \(6, 3\) and \(5,\)"),
    (Accuracy, (X, Y + 0.5), DTypeError, "whole numbers"),
    (Accuracy, (X, np.full(6, np.nan)), DTypeError, "whole numbers"),
    (Accuracy, (Y, Y[:5]), ShapeError, "must be the same"),
    (Accuracy, (["a"], Y), DTypeError, "asarray"),
    (lambda: F1(num_classes=4), (X, Y), ShapeError, "4 classes were announced"),
    (F1, (Y, Y), ValueError, "give num_classes"),
    (lambda: F1(num_classes=2), (Y, Y), IndexRangeError, "F1: output: label 2"),
    (lambda: F1("binary"), (X, Y), ValueError, "needs 2 classes, got 3"),
    (lambda: TopK(4), (X, Y), ShapeError, "at least 4 classes"),
    (lambda: TopK(2), (X, Y[:5]), ShapeError, r"shape \(6,\)"),
    (lambda: TopK(2), (X, Y + 2), IndexRangeError, "TopK: label"),
    (AUROC, (Y, Y), DTypeError, "cannot be ranked"),
    (AUROC, (X[:, :1], Y), ShapeError, "expected scores"),
    (AUROC, (X[:, 0], Y), IndexRangeError, "2 classes"),
    (Perplexity, (Y, Y), ShapeError, "expected logits"),
    (Perplexity, (X, Y - 5), IndexRangeError, "Perplexity: label"),
    (MAE, (X[:, :1], X[:, 0]), ShapeError, r"MAE: output \(6, 1\) and target \(6,\)"),
    (R2, (X, X[:, 0]), ShapeError, "R2"),
    (MSE, (X + 1j, X), DTypeError, "real"),
]


@pytest.mark.parametrize("refused", REFUSED, ids=lambda r: r[3])
def test_refused(refused):
    make, data, kind, words = refused
    if data is None:
        with pytest.raises(kind, match=words):
            make()
        return
    metric = make()
    before = metric.state_dict()
    with pytest.raises(kind, match=words):
        metric.update(*data)
    assert metric.state_dict() == before


def test_other_states_are_refused():
    mae, top1, top2 = MAE(), TopK(1), TopK(2, name="top1")
    with pytest.raises(DTypeError, match="another MAE, got TopK"):
        mae.merge(top1)
    with pytest.raises(ValueError, match="settings"):
        top1.merge(top2)
    with pytest.raises(CheckpointError, match="expected the sums"):
        mae.load_state_dict({"total": 0})
    with pytest.raises(CheckpointError, match="scores must be a list"):
        AUROC().load_state_dict({"scores": 0, "labels": []})
    three, four = ConfusionMatrix(), ConfusionMatrix()
    three.update(X, Y), four.update(*classes())
    with pytest.raises(ShapeError, match="classes must be the same"):
        three.merge(four)
    for method in ("measure", "compute"):
        with pytest.raises(NotImplementedError, match=method):
            getattr(Metric(), method)(*[0, 0][: 2 * (method == "measure")])


def test_a_state_is_a_copy():
    matrix = ConfusionMatrix(3)
    matrix.update(X, Y)
    state = matrix.state_dict()
    matrix.update(X, Y)
    assert state["counts"].sum() == 6
    other = matrix.fresh()
    other.load_state_dict(state)
    state["counts"][:] = 0
    assert other.compute().sum() == 6
    auroc, scores = AUROC(), np.array([1.0, 2.0], "float32")
    auroc.update(scores, [0, 1])
    scores[:] = [2, 1]
    assert auroc.compute() == 1.0


def test_names():
    for name in metrics.__all__:
        kind = getattr(metrics, name)
        assert kind().name == {"TopK": "top5"}.get(name, name.lower())
        assert kind(name="mine").name == "mine"
        assert "name" in inspect.signature(kind).parameters


# -- scikit-learn -----------------------------------------------------------------------------------------------------
def test_agrees_with_scikit_learn():
    theirs = pytest.importorskip("sklearn.metrics")

    def gives(metric, x, y):
        metric.update(x, y)
        return metric.compute()

    for seed in range(4):
        x, y = classes(50, 5, seed=seed)
        y[y == 3] = 1  # a class that is only predicted
        guess = x.argmax(1)
        every = range(5)
        close(gives(Accuracy(), x, y), theirs.accuracy_score(y, guess))
        close(gives(ConfusionMatrix(), x, y), theirs.confusion_matrix(y, guess, labels=every))
        close(gives(TopK(2), x + 1e-3 * np.arange(5), y), theirs.top_k_accuracy_score(y, x + 1e-3 * np.arange(5), k=2, labels=every))
        for average in ("macro", "micro", "weighted", None):
            for mine, score in ((Precision, theirs.precision_score), (Recall, theirs.recall_score), (F1, theirs.f1_score)):
                close(gives(mine(average), x, y), score(y, guess, average=average, zero_division=0))
        s, z = binary(seed=seed)
        for mine, score in ((Precision, theirs.precision_score), (Recall, theirs.recall_score), (F1, theirs.f1_score)):
            close(gives(mine("binary", threshold=0), s, z), score(z, s > 0))
        close(gives(AUROC(), s, z), theirs.roc_auc_score(z, s))
        x, y = classes(50, 4, seed=seed)
        p = softmax(x.astype("float64"))
        for average in ("macro", "weighted"):
            close(gives(AUROC(average, logits=False), p, y), theirs.roc_auc_score(y, p, multi_class="ovr", average=average))
        close(gives(Perplexity(), x, y), math.exp(theirs.log_loss(y, p)))
        u, v = numbers(more=(3,), seed=seed)
        u, v = u.astype("float64"), v.astype("float64")
        close(gives(MAE(), u, v), theirs.mean_absolute_error(v, u))
        close(gives(MSE(), u, v), theirs.mean_squared_error(v, u))
        close(gives(R2(), u, v), theirs.r2_score(v, u))
