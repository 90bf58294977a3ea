"""Recurrent nets, their cells, and what regularises them."""

from .cell import GRUCell, LSTMCell, RNNCell
from .layers import GRU, LSTM, RNN
from .zoneout import Zoneout

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNCell", "Zoneout"]
