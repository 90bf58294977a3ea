"""Floor 7: training in one call, and what goes with it. Optional: all of it can be written by hand in a few lines."""

from typing import Any

from .averaging import EMACallback
from .callback import Callback
from .checkpoint import ModelCheckpoint
from .history import History
from .logs import CSVLogger, JSONLLogger, LRMonitor, PlotHistory, TensorBoardLogger
from .modes import evaluating
from .progress import ProgressBar
from .rates import GradientAccumulation, OneCycle, RateTest, find_lr
from .search import CrossValidation, LogUniform, Search, Trial, Uniform, cross_validate, grid_search, random_search
from .stopping import EarlyStopping, NotFiniteError, TerminateOnNaN, Watch
from .tensorboard import EventFile
from .trainer import Trainer

_estimators = ("Classifier", "Regressor")

__all__ = [
    "CSVLogger",
    "Callback",
    "CrossValidation",
    "EMACallback",
    "EarlyStopping",
    "EventFile",
    "GradientAccumulation",
    "History",
    "JSONLLogger",
    "LRMonitor",
    "LogUniform",
    "ModelCheckpoint",
    "NotFiniteError",
    "OneCycle",
    "PlotHistory",
    "ProgressBar",
    "RateTest",
    "Search",
    "TensorBoardLogger",
    "TerminateOnNaN",
    "Trainer",
    "Trial",
    "Uniform",
    "Watch",
    "cross_validate",
    "evaluating",
    "find_lr",
    "grid_search",
    "random_search",
]


def __getattr__(name: str) -> Any:
    if name in _estimators:  # made when asked for, as they need scikit-learn
        from . import estimator

        return getattr(estimator, name)
    raise AttributeError(f"module 'minigrad.train' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_estimators})
