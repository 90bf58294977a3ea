"""Recurrent layers as ops over whole sequences."""

from .gru import GRU
from .lstm import LSTM
from .packing import lay_rows, take_rows
from .rnn import RNN

__all__ = ["GRU", "LSTM", "RNN", "lay_rows", "take_rows"]
