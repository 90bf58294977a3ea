"""Searches, cross validation, and the faces for scikit-learn."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import data, nn, optim
from minigrad.train import LogUniform, Trainer, Uniform, cross_validate, grid_search, random_search

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3)).astype("float32")
Y = (X[:, 0] > 0).astype("int64")


def make(lr=0.1):
    net = nn.Linear(3, 2)
    return Trainer(net, nn.CrossEntropyLoss(), optim.Adam(net.parameters(), lr=lr), progress=False)


def test_grid(capsys):
    seen = []
    found = grid_search(lambda a, b: seen.append((a, b)) or a * b, {"a": [1, -1], "b": (2, 3)}, mode="max", progress=True)
    assert seen == [(1, 2), (1, 3), (-1, 2), (-1, 3)]
    assert found.best.settings == {"a": 1, "b": 3}
    assert found.best.score == 3
    assert str(found).splitlines()[0].split() == ["3", "a=1,", "b=3"]
    assert capsys.readouterr().out.splitlines()[3] == "4/4  -3  a=-1, b=3"
    assert grid_search(lambda a: [float("nan"), 2.0, 1.0][a], {"a": range(3)}).best.settings == {"a": 2}
    with pytest.raises(ValueError, match="mode"):
        grid_search(lambda a: a, {"a": [1]}, mode="least")
    with pytest.raises(ValueError, match="no trials"):
        grid_search(lambda: 1.0, {"a": []}).best  # noqa: B018


def test_random():
    space = {"lr": LogUniform(1e-4, 1e-1), "width": Uniform(4, 8), "p": Uniform(0.0, 0.5), "kind": ["a", "b"]}
    mg.manual_seed(0)
    found = random_search(lambda **s: s["lr"], space, trials=200)
    drawn = {k: [t.settings[k] for t in found.trials] for k in space}
    assert abs(np.log10(drawn["lr"]).mean() + 2.5) < 0.2
    assert min(drawn["lr"]) >= 1e-4
    assert max(drawn["lr"]) <= 1e-1
    assert set(drawn["width"]) == {4, 5, 6, 7, 8}
    assert all(isinstance(w, int) for w in drawn["width"])
    assert set(drawn["kind"]) == {"a", "b"}
    assert 0 <= min(drawn["p"]) <= max(drawn["p"]) <= 0.5
    mg.manual_seed(0)
    assert [t.settings for t in random_search(lambda **s: 0.0, space, trials=3).trials] == [t.settings for t in found.trials[:3]]
    with pytest.raises(ValueError, match="trials"):
        random_search(lambda: 0.0, {}, trials=0)


def test_cross_validation():
    mg.manual_seed(0)
    result = cross_validate(make, X, Y, folds=4, epochs=40, batch_size=15)
    assert len(result.scores) == 4
    assert result.mean < 0.25
    assert result.std > 0
    stratified = cross_validate(make, mg.tensor(X), mg.tensor(Y), folds=data.StratifiedKFold(3), epochs=1)
    assert len(stratified.scores) == 3
    with pytest.raises(KeyError, match="no 'f1' to score by; there are loss"):
        cross_validate(make, X, Y, score="f1", epochs=1)
    with pytest.raises(ValueError, match="60 inputs and 59 targets"):
        cross_validate(make, X, Y[1:])


def test_nothing_leaks_into_the_preparation():
    seen = []

    class Scaling:
        def fit_transform(self, x):
            seen.append(len(x))
            self.mean = x.mean(0)
            return x - self.mean

        def transform(self, x):
            seen.append(-len(x))
            return x - self.mean

    cross_validate(make, X, Y, folds=3, prepare=Scaling, epochs=1)
    assert seen == [40, -20] * 3


def test_estimators_without_scikit_learn(monkeypatch):
    import sys

    for name in [m for m in sys.modules if m.split(".")[0] == "sklearn" or m == "minigrad.train.estimator"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(mg.train, "estimator", raising=False)  # where the package keeps it once it was imported
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    with pytest.raises(ImportError, match="pip install scikit-learn"):
        mg.train.Classifier  # noqa: B018


def estimators():
    pytest.importorskip("sklearn")
    from minigrad.train import Classifier, Regressor

    return Classifier, Regressor


def test_classifier_and_regressor():
    Classifier, Regressor = estimators()
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    labels = np.array(["no", "yes"])[Y]
    one = Classifier(epochs=30, random_state=0).fit(X, labels)
    assert one.score(X, labels) > 0.95
    assert set(one.predict(X)) == {"no", "yes"}
    assert np.allclose(one.predict_proba(X).sum(1), 1)
    mg.manual_seed(0)
    state = mg.random.normal(size=3).tolist()
    mg.manual_seed(0)
    assert (
        Classifier(epochs=3, random_state=7).fit(X, labels).predict_proba(X)
        == Classifier(epochs=3, random_state=7).fit(X, labels).predict_proba(X)
    ).all()
    assert mg.random.normal(size=3).tolist() == state  # the common stream was not touched
    target = X @ np.array([1.0, -2.0, 0.5]) + 3
    assert Regressor(epochs=100, random_state=0).fit(X, target).score(X, target) > 0.98
    many = Regressor(epochs=60, random_state=0).fit(X, np.stack([target, -target], 1))
    assert many.predict(X).shape == (60, 2)
    pipe = make_pipeline(StandardScaler(), Classifier(epochs=10, random_state=0))
    assert cross_val_score(pipe, X, labels, cv=3).mean() > 0.8
    found = GridSearchCV(Classifier(epochs=5, random_state=0), {"lr": [1e-5, 3e-2]}, cv=2).fit(X, labels)
    assert found.best_params_ == {"lr": 3e-2}


@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_checks_the_estimators():
    Classifier, Regressor = estimators()
    from sklearn.utils.estimator_checks import check_estimator

    for estimator in (Classifier(epochs=60, random_state=0), Regressor(epochs=100, random_state=0)):
        check_estimator(estimator)
