"""DataLoader: a dataset in batches, made ahead by threads if wished, in an order that can be taken up again."""

import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from itertools import count, islice
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..backend import Generator, is_available
from ..backend.random import drawing_from
from ..errors import CheckpointError, DTypeError
from .collate import default_collate
from .dataset import IterableDataset
from .prefetch import Workers
from .sampler import BatchSampler, RandomSampler, SequentialSampler, child, counts, positive

_END = object()


class DataLoader:
    """Iterates over a dataset in batches.

    What is drawn at random while batch b of epoch e is made comes from a stream of its own, fixed by the loader's seed, e and b. So
    the batches do not depend on the number of workers, nor on what the loop does with the seeded stream, which the loader leaves as it is.

    Args:
        dataset: what has ``__getitem__`` and ``__len__``; or an IterableDataset.
        batch_size: how many samples a batch has; the last may have fewer. None: samples one by one, as they are.
        shuffle: a new random order each time round.
        sampler: gives the indices instead.
        batch_sampler: gives lists of indices instead.
        num_workers: how many threads make batches ahead; 0: they are made when asked for. Their order is the sampler's in any case.
            An IterableDataset is read by one thread at most.
        collate_fn: makes a batch of a list of samples; default: stacks them (``default_collate``), or what ``dataset.batch`` gathers.
        drop_last: leave out a last batch that is not full.
        prefetch_factor: how many batches each worker may be ahead; default 2.
        worker_init_fn: called as ``worker_init_fn(number)`` in each thread before its first batch.
        generator: whose child draws; default: the seeded stream's. Neither is advanced.
        persistent_workers: keep the threads from one epoch to the next.
        pin_memory: put the Tensors of a batch (in tuples, lists and dicts too) into memory that a GPU can read by itself, so that
            ``x.to("cuda", non_blocking=True)`` copies them while it computes. Without a GPU it makes no difference.

    Raises:
        ValueError: options that do not go together, an empty dataset, or ``drop_last`` with a batch larger than the dataset.
        RuntimeError: the number of samples changed while iterating.

    What a dataset raises in a worker is raised in the loop, where its batch would have come, with the traceback of the worker and a
    note of batch and sample. Leaving the loop early drops what has not begun and waits for what has.

    Example:
        >>> from minigrad.data import DataLoader
        >>> [batch.tolist() for batch in DataLoader([1, 2, 3, 4, 5], batch_size=2)]
        [[1, 2], [3, 4], [5]]
        >>> loader = DataLoader(range(6), batch_size=2, shuffle=True, num_workers=2)
        >>> first = next(iter(loader))
        >>> state, rest = loader.state_dict(), [b.tolist() for b in loader]  # a new epoch
        >>> again = DataLoader(range(6), batch_size=2, shuffle=True)
        >>> again.load_state_dict(state)
        >>> len(list(again)), [b.tolist() for b in again] == rest
        (2, True)
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool = False,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list], Any] | None = None,
        drop_last: bool = False,
        prefetch_factor: int | None = None,
        worker_init_fn: Callable[[int], Any] | None = None,
        generator: Generator | None = None,
        persistent_workers: bool = False,
        pin_memory: bool = False,
    ):
        who = "DataLoader"
        self.batch_size = None if batch_size is None else positive(who, "batch_size", batch_size)
        self.num_workers = positive(who, "num_workers", num_workers, 0)
        self.prefetch_factor = positive(who, "prefetch_factor", 2 if prefetch_factor is None else prefetch_factor)
        self.dataset, self.drop_last, self.collate_fn = dataset, bool(drop_last), collate_fn
        self.pin_memory, self.pins = bool(pin_memory), False
        self.iterable = isinstance(dataset, IterableDataset)
        for name, f in (("collate_fn", collate_fn), ("worker_init_fn", worker_init_fn)):
            if f is not None and not callable(f):
                raise DTypeError(f"DataLoader: {name} must be callable, got {type(f).__name__}")
        for wrong, why in (
            (not self.iterable and not hasattr(dataset, "__getitem__"), f"{type(dataset).__name__} has no __getitem__"),
            (shuffle and sampler is not None, "shuffle=True with a sampler, which gives the order itself"),
            (self.iterable and (shuffle or sampler is not None or batch_sampler is not None), "an order for an IterableDataset"),
            (
                batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last),
                "batch_sampler with batch_size, shuffle, sampler or drop_last",
            ),
            (batch_size is None and drop_last, "drop_last without a batch_size"),
            (not num_workers and prefetch_factor is not None, "prefetch_factor without workers; set num_workers"),
            (not num_workers and persistent_workers, "persistent_workers without workers; set num_workers"),
        ):
            if wrong:
                raise ValueError(f"DataLoader: {why}")
        stream = child(who, generator)
        self.seed, self.epoch = stream.seed, 0
        self.sampler, self.batch_sampler = sampler, batch_sampler
        self._own = not self.iterable and sampler is None and batch_sampler is None
        if self._own:
            self._check_length()
            self.sampler = RandomSampler(dataset, generator=stream) if shuffle else SequentialSampler(dataset)
        if not self.iterable and batch_sampler is None and self.batch_size is not None:
            self.batch_sampler = BatchSampler(self.sampler, self.batch_size, self.drop_last)  # type: ignore[arg-type]
        threads = min(self.num_workers, 1) if self.iterable else self.num_workers
        ahead = self.prefetch_factor * self.num_workers
        self._workers = Workers(threads, ahead, worker_init_fn, bool(persistent_workers)) if threads else None
        self._passing: dict[str, Any] | None = None  # the epoch that is under way, as state_dict gives it
        self._skip = (0, 0)  # batches that a resumed epoch has had, and their checksum

    @property
    def _order(self) -> Any:
        return self.batch_sampler if self.batch_sampler is not None else self.sampler

    def _check_length(self) -> None:
        n = len(self.dataset)
        if not n:
            raise ValueError("DataLoader: the dataset is empty (0 samples)")
        if self.drop_last and self.batch_size is not None and n < self.batch_size:
            raise ValueError(f"DataLoader: batch_size {self.batch_size} with drop_last leaves no batch of {n} samples; make it at most {n}")

    def __len__(self) -> int:
        if not self.iterable:
            return len(self._order)
        n = len(self.dataset)
        return n if self.batch_size is None else n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        if self._own:
            self._check_length()
        self.pins = self.pin_memory and is_available("cuda")
        self._passing = passing = {**self._between(), "position": 0, "digest": 0}
        skip, self._skip = self._skip, (0, 0)
        self.epoch += 1
        return self._batches(passing, self._jobs(passing["epoch"]), *skip)

    def _batches(self, passing: dict[str, Any], jobs: Iterator[tuple[Any, Callable]], skip: int, digest: int) -> Iterator[Any]:
        for _ in range(skip):
            indices, job = next(jobs, (None, lambda: _END))
            if self.iterable:
                job()
            passing["position"] += 1
            passing["digest"] = _digest(passing["digest"], indices)
        if passing["digest"] != digest:
            raise CheckpointError(
                f"DataLoader: the first {skip} batches of epoch {passing['epoch']} are not those that the saved run had; is the dataset "
                f"another, or has the sampler a random order but no state_dict()?"
            )
        given: deque[Any] = deque()

        def noted() -> Iterator[Callable]:
            for indices, job in jobs:
                given.append(indices)
                yield job

        counted = hasattr(type(self.dataset), "__len__") and not self.iterable
        n = len(self.dataset) if counted else 0
        results: Any = self._workers.run(noted()) if self._workers else (job() for job in noted())
        with closing(results):
            for result in results:
                if result is _END:
                    break
                if counted and len(self.dataset) != n:
                    raise RuntimeError(
                        f"DataLoader: the dataset had {n} samples when this epoch began and has {len(self.dataset)} now; "
                        f"change it between epochs"
                    )
                passing["position"] += 1
                passing["digest"] = _digest(passing["digest"], given.popleft())
                yield result
        if self._passing is passing:
            self._passing = None

    def _jobs(self, epoch: int) -> Iterator[tuple[Any, Callable]]:
        """(indices, what makes the batch of them) for each batch of the epoch."""
        if self.iterable:
            source = iter(self.dataset)
            return ((None, _Job(self, epoch, b, None, source)) for b in count())
        return ((indices, _Job(self, epoch, b, indices, None)) for b, indices in enumerate(iter(self._order)))

    # -- state ----------------------------------------------------------------------------------------------------------
    def _between(self) -> dict[str, Any]:
        sampler = self._order.state_dict() if hasattr(self._order, "state_dict") else {}
        return {"seed": self.seed, "epoch": self.epoch, "position": self._skip[0], "digest": self._skip[1], "sampler": sampler}

    def state_dict(self) -> dict[str, Any]:
        """Where the loader is: seed, epoch, how many batches the loop has had, and the sampler's state.

        Taken in the loop, the batch that the loop has just been given counts as had.
        """
        return dict(self._passing if self._passing is not None else self._between())

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next loop give the batches that were left, and those after it the same epochs as the saved run.

        The batches had are skipped without being loaded; those of an IterableDataset must be read again.

        Raises:
            CheckpointError: no state of a loader; nothing has changed. Raised by the loop if the batches had are not the same.
        """
        seed, epoch, position, digest = counts("DataLoader", state, "seed", "epoch", "position", "digest")
        sampler = state.get("sampler")
        if not isinstance(sampler, Mapping):
            raise CheckpointError(f"DataLoader.load_state_dict: no state of the sampler in {sorted(state)}; nothing was loaded")
        if sampler and not hasattr(self._order, "load_state_dict"):
            raise CheckpointError("DataLoader.load_state_dict: the state has one of a sampler, and this loader's sampler takes none")
        if sampler or (hasattr(self._order, "state_dict") and self._order.state_dict()):
            self._order.load_state_dict(sampler)
        self.seed, self.epoch, self._skip, self._passing = seed, epoch, (position, digest), None


class _Job:
    """Makes one batch, under the stream of random numbers that belongs to it."""

    __slots__ = ("b", "epoch", "indices", "loader", "source")

    def __init__(self, loader: DataLoader, epoch: int, b: int, indices: Any, source: Iterator[Any] | None):
        self.loader, self.epoch, self.b, self.indices, self.source = loader, epoch, b, indices, source

    def __call__(self) -> Any:
        with drawing_from(Generator(((self.b + 1) << 256) + (self.epoch << 192) + self.loader.seed)):
            batch = self._read() if self.source is not None else self._gathered()
        return _pinned(batch) if self.loader.pins else batch

    def _read(self) -> Any:
        loader = self.loader
        samples = list(islice(self.source, loader.batch_size or 1))  # type: ignore[arg-type]
        if len(samples) < (loader.batch_size if loader.drop_last and loader.batch_size else 1):
            return _END
        return self._made(samples)

    def _gathered(self) -> Any:
        dataset, at = self.loader.dataset, self.indices
        try:
            if self.loader.batch_size is None and self.loader.batch_sampler is None:
                return self._made([dataset[at]])
            gather = getattr(dataset, "batch", None) if self.loader.collate_fn is None else None
            if gather is not None:
                return gather(np.asarray(at, dtype=np.int64))
            samples = []
            for at in self.indices:
                samples.append(dataset[at])
            at = self.indices
            return self._made(samples)
        except Exception as error:
            what = "samples" if isinstance(at, (list, tuple, np.ndarray)) else "sample"
            error.add_note(f"DataLoader: while making batch {self.b} of epoch {self.epoch}, {what} {_short(at)}")
            raise

    def _made(self, samples: list) -> Any:
        loader = self.loader
        if loader.batch_size is None and loader.batch_sampler is None:
            return samples[0] if loader.collate_fn is None else loader.collate_fn(samples[0])
        return (loader.collate_fn or default_collate)(samples)


def _pinned(x: Any) -> Any:
    """The Tensors of a batch in memory that a GPU can read by itself."""
    if isinstance(x, Tensor):
        return x.pin_memory() if x.device == "cpu" else x  # type: ignore[attr-defined]
    if isinstance(x, Mapping):
        return {k: _pinned(v) for k, v in x.items()}
    if isinstance(x, (tuple, list)):
        parts = [_pinned(v) for v in x]
        return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)
    return x


def _digest(before: int, indices: Any) -> int:
    """A checksum of the indices given so far."""
    return before if indices is None else zlib.crc32(repr(indices).encode(), before)


def _short(x: Any) -> str:
    text = repr(x)
    return text if len(text) < 80 else f"{text[:76]} ..."


__all__ = ["DataLoader"]
