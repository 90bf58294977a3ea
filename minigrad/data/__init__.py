"""Floor 4: datasets and the loader that makes batches of them."""

from .dataset import Dataset, Subset, TensorDataset, random_split
from .digits import Digits
from .loader import DataLoader, default_collate
from .mnist import MNIST

__all__ = ["MNIST", "DataLoader", "Dataset", "Digits", "Subset", "TensorDataset", "default_collate", "random_split"]
