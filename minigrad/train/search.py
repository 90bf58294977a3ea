"""Hyper-parameters: grid and random search, and cross validation to score them by."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from math import exp, isfinite, log
from statistics import fmean, stdev
from typing import Any

import numpy as np

from ..autograd.tensor import raw
from ..backend import Generator, generator
from ..data import KFold
from .trainer import Trainer


@dataclass
class Trial:
    """One setting and its score.

    Example:
        >>> from minigrad.train import Trial
        >>> Trial({"lr": 0.1}, 0.93).score
        0.93
    """

    settings: dict[str, Any]
    score: float


@dataclass
class Search:
    """The trials of a search, in order; printed as a table, best first.

    Example:
        >>> from minigrad.train import Search, Trial
        >>> Search([Trial({"lr": 0.1}, 0.9), Trial({"lr": 1.0}, 0.5)], "max").best.settings
        {'lr': 0.1}
    """

    trials: list[Trial] = field(default_factory=list)
    mode: str = "min"

    @property
    def ranked(self) -> list[Trial]:
        """The trials, best first; those without a finite score last."""
        sign = -1 if self.mode == "max" else 1
        return sorted(self.trials, key=lambda t: (not isfinite(t.score), sign * t.score if isfinite(t.score) else 0.0))

    @property
    def best(self) -> Trial:
        """The best trial."""
        if not self.trials:
            raise ValueError("Search.best: there were no trials")
        return self.ranked[0]

    def __str__(self) -> str:
        return "\n".join(f"{t.score:12.6g}  {', '.join(f'{k}={_short(v)}' for k, v in t.settings.items())}" for t in self.ranked)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@dataclass
class Uniform:
    """A range to draw from evenly: floats, or integers (both ends included) if both ends are integers.

    Example:
        >>> from minigrad.train import Uniform
        >>> Uniform(0.0, 0.5).low
        0.0
    """

    low: float
    high: float

    def draw(self, rng: Any) -> Any:
        """A value."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            return int(rng.integers(self.low, self.high + 1))
        return float(rng.uniform(self.low, self.high))


@dataclass
class LogUniform:
    """A range of positive numbers to draw from evenly in the logarithm, as befits learning rates and decays.

    Example:
        >>> from minigrad.train import LogUniform
        >>> LogUniform(1e-4, 1e-1).high
        0.1
    """

    low: float
    high: float

    def draw(self, rng: Any) -> float:
        """A value."""
        return exp(float(rng.uniform(log(self.low), log(self.high))))


def grid_search(objective: Callable[..., float], space: Mapping[str, Iterable[Any]], mode: str = "min", progress: bool = False) -> Search:
    """Try every combination.

    Args:
        objective: called with one keyword per name; returns a score, for example a mean of ``cross_validate``.
        space: the values of each name.
        mode: "min" or "max": which score is better.
        progress: print a line per trial.

    Example:
        >>> from minigrad.train import grid_search
        >>> found = grid_search(lambda a, b: (a - 2) ** 2 + b, {"a": [1, 2, 3], "b": [0, 1]})
        >>> found.best.settings, len(found.trials)
        ({'a': 2, 'b': 0}, 6)
    """
    names = list(space)
    return _tried("grid_search", objective, [dict(zip(names, values, strict=True)) for values in product(*space.values())], mode, progress)


def random_search(
    objective: Callable[..., float],
    space: Mapping[str, Any],
    trials: int = 20,
    mode: str = "min",
    generator: Generator | None = None,
    progress: bool = False,
) -> Search:
    """Try random combinations: with few trials better than a grid, where some names matter more than others.

    Args:
        objective, mode, progress: as ``grid_search``.
        space: for each name a ``Uniform`` or ``LogUniform`` range, or a sequence to choose from.
        trials: how many.
        generator: what draws; default: the one of ``manual_seed``.

    Source:
        Bergstra and Bengio, "Random search for hyper-parameter optimization", 2012.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.train import LogUniform, random_search
        >>> _ = mg.manual_seed(0)
        >>> found = random_search(lambda lr, kind: abs(lr - 0.01), {"lr": LogUniform(1e-4, 1.0), "kind": ["a", "b"]}, trials=50)
        >>> 0.005 < found.best.settings["lr"] < 0.02
        True
    """
    if trials < 1:
        raise ValueError(f"random_search: trials must be at least 1, got {trials}")
    rng = _stream(generator).rng
    drawn = [
        {name: r.draw(rng) if hasattr(r, "draw") else r[int(rng.integers(len(r)))] for name, r in space.items()} for _ in range(trials)
    ]
    return _tried("random_search", objective, drawn, mode, progress)


def _stream(given: Generator | None) -> Generator:
    return generator() if given is None else given


def _tried(who: str, objective: Callable[..., float], settings: list[dict[str, Any]], mode: str, progress: bool) -> Search:
    if mode not in ("min", "max"):
        raise ValueError(f"{who}: mode must be 'min' or 'max', got {mode!r}")
    search = Search([], mode)
    for i, one in enumerate(settings, 1):
        search.trials.append(Trial(one, float(objective(**one))))
        if progress:
            print(
                f"{i}/{len(settings)}  {search.trials[-1].score:.6g}  {', '.join(f'{k}={_short(v)}' for k, v in one.items())}", flush=True
            )
    return search


@dataclass
class CrossValidation:
    """The scores of all folds.

    Example:
        >>> from minigrad.train import CrossValidation
        >>> CrossValidation([0.9, 0.8]).mean
        0.85
    """

    scores: list[float]

    @property
    def mean(self) -> float:
        """Their mean."""
        return round(fmean(self.scores), 12)

    @property
    def std(self) -> float:
        """Their standard deviation (over n - 1); 0 for a single fold."""
        return stdev(self.scores) if len(self.scores) > 1 else 0.0


def cross_validate(
    make: Callable[[], Trainer],
    x: Any,
    y: Any,
    folds: Any = 5,
    *,
    score: str = "loss",
    prepare: Callable[[], Any] | None = None,
    epochs: int = 10,
    batch_size: int = 32,
) -> CrossValidation:
    """Train on all folds but one, score on that one, for each in turn.

    Args:
        make: makes a fresh Trainer.
        x, y: inputs and targets, arrays.
        folds: how many, or something with ``split(n)`` or ``split(x, y)``, such as ``data.StratifiedKFold``.
        score: which number of ``Trainer.evaluate``: "loss", or a metric's name.
        prepare: makes a preprocessing, such as ``data.ZScore``; it is fitted on the training part of each fold only, so that nothing
            of the validation part leaks.
        epochs, batch_size: as ``Trainer.fit``.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn, optim
        >>> from minigrad.train import Trainer, cross_validate
        >>> _ = mg.manual_seed(0)
        >>> def make():
        ...     model = nn.Linear(1, 1)
        ...     return Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.3), progress=False)
        >>> x = mg.linspace(-1, 1, 40, dtype="float32").reshape((40, 1))
        >>> cross_validate(make, x, 2 * x, folds=4, epochs=50).mean < 1e-3
        True
    """
    x, y = np.asarray(raw(x)), np.asarray(raw(y))
    if len(x) != len(y):
        raise ValueError(f"cross_validate: {len(x)} inputs and {len(y)} targets")
    splitter = KFold(folds, shuffle=True) if isinstance(folds, int) else folds
    scores = []
    for train, test in splitter.split(x, y):
        before, after = x[train], x[test]
        if prepare is not None:
            fitted = prepare()
            before, after = fitted.fit_transform(before), fitted.transform(after)
        trainer = make()
        trainer.fit((before, y[train]), epochs=epochs, batch_size=batch_size)
        found = trainer.evaluate((after, y[test]))
        if score not in found:
            raise KeyError(f"cross_validate: there is no {score!r} to score by; there are {', '.join(found)}")
        scores.append(found[score])
    return CrossValidation(scores)


__all__ = ["CrossValidation", "LogUniform", "Search", "Trial", "Uniform", "cross_validate", "grid_search", "random_search"]
