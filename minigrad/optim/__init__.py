"""Floor 4: optimizers and schedules of the learning rate."""

from . import lr_scheduler
from .adafactor import Adafactor
from .adam import Adam, AdamW, NAdam, RAdam
from .adaptive import SMORMS3, Adadelta, Adagrad, RMSprop
from .averaging import EMA, SWALR, AveragedModel, get_ema_avg_fn, get_swa_avg_fn, update_bn
from .layerwise import LAMB, LARS
from .lbfgs import LBFGS
from .muon import Muon
from .optimizer import Optimizer
from .sgd import ASGD, SGD
from .sign import Lion, Rprop
from .spread import AdaBelief, Adamax, Yogi
from .wrappers import SAM, Lookahead

__all__ = [
    "ASGD",
    "EMA",
    "LAMB",
    "LARS",
    "LBFGS",
    "SAM",
    "SGD",
    "SMORMS3",
    "SWALR",
    "AdaBelief",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "AveragedModel",
    "Lion",
    "Lookahead",
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "Yogi",
    "get_ema_avg_fn",
    "get_swa_avg_fn",
    "lr_scheduler",
    "update_bn",
]
