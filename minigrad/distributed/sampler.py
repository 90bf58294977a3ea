"""Which samples are whose."""

from collections.abc import Iterator
from typing import Any

from ..backend import Generator
from ..data.sampler import RandomSampler, Sampler, SequentialSampler, positive


class DistributedSampler(Sampler):
    """A worker's part of each epoch: every ``num_replicas``-th index, beginning at ``rank``, of an order that all workers share.

    Args:
        dataset: what has a length.
        num_replicas: how many workers there are.
        rank: this worker's number.
        shuffle: a new order each epoch, the same for all workers.
        seed: fixes the orders; the same in all workers.
        drop_last: leave out the last few samples where they do not go round. Otherwise the first few come again at the end, so that
            every worker has equally many.

    Raises:
        ValueError: a rank that is none of theirs.

    Example:
        >>> from minigrad.distributed import DistributedSampler
        >>> [list(DistributedSampler(range(5), 2, rank, shuffle=False)) for rank in (0, 1)]
        [[0, 2, 4], [1, 3, 0]]
    """

    def __init__(self, dataset: Any, num_replicas: int, rank: int, shuffle: bool = True, seed: int = 0, drop_last: bool = False):
        self.size = positive("DistributedSampler", "num_replicas", num_replicas)
        self.rank = positive("DistributedSampler", "rank", rank, least=0)
        if self.rank >= self.size:
            raise ValueError(f"DistributedSampler: rank {rank} of {num_replicas} workers; ranks go from 0 to {num_replicas - 1}")
        self.all: Any = RandomSampler(dataset, generator=Generator(seed)) if shuffle else SequentialSampler(dataset)
        self.drop_last = bool(drop_last)

    def order(self) -> Any:
        """This worker's indices of the next epoch."""
        everyone, many = self.all.order(), len(self) * self.size
        return everyone.take(range(many), mode="wrap")[self.rank :: self.size] if len(everyone) else everyone

    def __iter__(self) -> Iterator[int]:
        return iter(self.order().tolist())

    def __len__(self) -> int:
        n = len(self.all)
        return n // self.size if self.drop_last else -(-n // self.size)

    def set_epoch(self, epoch: int) -> None:
        """Let this epoch come next; without it, each time round is the next one."""
        if isinstance(self.all, RandomSampler):
            self.all.epoch = positive("set_epoch", "epoch", epoch, least=0)

    def state_dict(self) -> dict[str, Any]:
        """Which epoch comes next, and the seed; empty where nothing is shuffled."""
        return self.all.state_dict() if isinstance(self.all, RandomSampler) else {}

    def load_state_dict(self, state: Any) -> None:
        """Go on where the state was taken."""
        if isinstance(self.all, RandomSampler):
            self.all.load_state_dict(state)


__all__ = ["DistributedSampler"]
