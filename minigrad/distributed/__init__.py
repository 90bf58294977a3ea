"""Floor 6: one model trained by several workers at once, each on its part of a batch, on the CPU or a GPU each."""

from .communicator import Alone, Communicator, Threads
from .gradients import average_gradients, broadcast
from .launch import run
from .sampler import DistributedSampler

__all__ = ["Alone", "Communicator", "DistributedSampler", "Threads", "average_gradients", "broadcast", "run"]
