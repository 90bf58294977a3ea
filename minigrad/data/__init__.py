"""Floor 5: datasets, the loader that makes batches of them, and what is done to samples before."""

from . import transforms
from .cifar import CIFAR10, CIFAR100, read_cifar
from .collate import default_collate
from .dataset import ChainDataset, ConcatDataset, Dataset, IterableDataset, Subset, TensorDataset, TransformDataset
from .digits import Digits
from .download import data_folder
from .idx import read_idx
from .loader import DataLoader
from .mnist import KMNIST, MNIST, FashionMNIST
from .preprocessing import MinMax, Preprocessing, Whitening, ZScore
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, SubsetRandomSampler, WeightedRandomSampler
from .split import GroupKFold, KFold, StratifiedKFold, random_split, train_test_split
from .synthetic import XOR, Blobs, Checkerboard, Circles, Moons, SinCurve, Spiral
from .text import TextFile, TinyShakespeare, Vocabulary

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "KMNIST",
    "MNIST",
    "XOR",
    "BatchSampler",
    "Blobs",
    "ChainDataset",
    "Checkerboard",
    "Circles",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "Digits",
    "FashionMNIST",
    "GroupKFold",
    "IterableDataset",
    "KFold",
    "MinMax",
    "Moons",
    "Preprocessing",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SinCurve",
    "Spiral",
    "StratifiedKFold",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "TextFile",
    "TinyShakespeare",
    "TransformDataset",
    "Vocabulary",
    "WeightedRandomSampler",
    "Whitening",
    "ZScore",
    "data_folder",
    "default_collate",
    "random_split",
    "read_cifar",
    "read_idx",
    "train_test_split",
    "transforms",
]
