"""How to measure without fooling oneself: three parts of the data, cross validation, searches, and two leaks.

    python evaluation.py

Expected: 1. Settings are chosen by cross validation on the training part; the test part is looked at once, at the end, and agrees. 2. A
random search (Bergstra and Bengio 2012) of as many trials as a grid tries more values of what matters. 3. Choosing features by all data
before the split "predicts" labels that were drawn by lot; chosen within each fold, chance is what is left: Hastie, Tibshirani and
Friedman, "The elements of statistical learning", 2009, section 7.10.2. Scaling that is fitted on all data is the same fault, if a smaller
one: ``prepare=ZScore`` fits it anew in each fold.
"""

import numpy as np

import minigrad as mg
from minigrad import data, metrics, nn, optim
from minigrad.train import LogUniform, Trainer, cross_validate, grid_search, random_search

mg.manual_seed(0)

# 1. and 2.: what is tuned is tuned on the training part alone
everything = data.Digits()
learning, held = data.train_test_split(everything, 400, stratify=everything.tensors[1])
x, y = (a.numpy()[learning.indices] for a in everything.tensors)
x = x.reshape(len(x), -1)[:500]
y = y[:500]


def make(lr=0.01, weight_decay=0.0, hidden=16):
    """A fresh model and all it takes to train it."""
    model = nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10))
    opt = optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay)
    return Trainer(model, nn.CrossEntropyLoss(), opt, metrics=metrics.Accuracy(), progress=False)


def objective(**settings):
    """The accuracy of settings: the mean of three folds, each scaled by what its own training part says."""
    folds = data.StratifiedKFold(3, shuffle=True, generator=mg.Generator(0))
    return cross_validate(lambda: make(**settings), x, y, folds, score="accuracy", prepare=data.ZScore, epochs=5).mean


grid = grid_search(objective, {"lr": [1e-4, 1e-2, 1.0], "weight_decay": [0.0, 0.1, 1.0]}, mode="max")
draws = random_search(objective, {"lr": LogUniform(1e-4, 1.0), "weight_decay": LogUniform(1e-3, 1.0)}, trials=9, mode="max")
for name, search in (("grid", grid), ("random", draws)):
    rates = {t.settings["lr"] for t in search.trials}
    print(f"{name} search: {len(search.trials)} trials of {len(rates)} learning rates, the best and the worst of them:")
    print("\n".join((lambda lines: [lines[0], lines[-1]])(str(search).splitlines())))

best = max(grid.best, draws.best, key=lambda t: t.score)
scale = data.ZScore().fit(x)
trainer = make(**best.settings)
trainer.fit((scale(x), y), epochs=5)
x_test, y_test = (a.numpy()[held.indices] for a in everything.tensors)
measured = trainer.evaluate((scale(x_test.reshape(len(x_test), -1)), y_test))["accuracy"]
print(f"the best had {best.score:.3f} in cross validation, and has {measured:.3f} on {len(y_test)} images not looked at before")

# 3. a leak: 50 samples, 2000 features, labels by lot
rng = np.random.default_rng(0)
noise, lot = rng.normal(size=(50, 2000)).astype(np.float32), np.arange(50) % 2


def strongest(x, y, k=20):
    """The features that go with the labels most."""
    return np.argsort(-abs((x - x.mean(0)).T @ (y - y.mean())))[:k]


def nearest_mean(x, y, x_test):
    """The class whose mean is nearer."""
    distance = [((x_test - x[y == c].mean(0)) ** 2).sum(1) for c in (0, 1)]
    return (distance[1] < distance[0]).astype(int)


def validated(choose_first):
    """Accuracy in five folds."""
    right = []
    for train, test in data.StratifiedKFold(5, shuffle=True).split(noise, lot):
        kept = strongest(noise, lot) if choose_first else strongest(noise[train], lot[train])
        right.append((nearest_mean(noise[train][:, kept], lot[train], noise[test][:, kept]) == lot[test]).mean())
    return np.mean(right)


leaky, honest = (np.mean([validated(first) for _ in range(10)]) for first in (True, False))
print(f"labels by lot: features chosen by all data {leaky:.2f}, chosen within each fold {honest:.2f}; the truth is 0.50")

assert len({t.settings["lr"] for t in draws.trials}) == 9
assert measured > 0.8
assert abs(measured - best.score) < 0.06
assert leaky > 0.8
assert 0.3 < honest < 0.65
print("the search's estimate holds, and the leak is one: as expected")
