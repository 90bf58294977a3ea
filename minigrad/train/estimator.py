"""Faces for scikit-learn: a Classifier and a Regressor that fit into its pipelines and searches. Needs scikit-learn."""

from collections.abc import Callable
from typing import Any

import numpy as np

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError:
    raise ImportError("minigrad.train.Classifier and Regressor need scikit-learn; pip install scikit-learn") from None

from .. import nn, optim
from ..autograd import Tensor
from ..autograd.tensor import wrap
from ..backend import generator
from .trainer import Trainer


def mlp(inputs: int, outputs: int, hidden: tuple[int, ...] = (64,)) -> nn.Module:
    """Linear layers with rectifiers between them: the net of an estimator that is given none.

    Example:
        >>> from minigrad.train.estimator import mlp
        >>> len(mlp(4, 3))
        3
    """
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


class _Estimator(BaseEstimator):
    """What both have in common. Arguments are kept as they are and looked at in ``fit``, as scikit-learn wants it; all is float64."""

    def __init__(
        self,
        module: Callable[[int, int], nn.Module] = mlp,
        epochs: int = 60,
        lr: float = 1e-2,
        batch_size: int = 32,
        weight_decay: float = 0.0,
        optimizer: Callable[..., optim.Optimizer] = optim.Adam,
        random_state: int | None = None,
        verbose: bool = False,
    ):
        self.module = module
        self.epochs = epochs
        self.lr = lr
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.optimizer = optimizer
        self.random_state = random_state
        self.verbose = verbose

    def _fit(self, x: Any, y: Any, outputs: int, loss: Any) -> None:
        stream = generator()
        before = stream.state
        if self.random_state is not None:  # a stream of its own, so that fitting twice gives the same and disturbs nobody
            stream.manual_seed(int(self.random_state) if isinstance(self.random_state, (int, np.integer)) else 0)
        try:
            self.mean_, self.scale_ = x.mean(0), x.std(0)
            self.scale_ = np.where(self.scale_ > 0, self.scale_, 1)
            self.module_ = self.module(x.shape[1], outputs).double()
            opt = self.optimizer(self.module_.named_parameters(), lr=self.lr, weight_decay=self.weight_decay)
            trainer = Trainer(self.module_, loss, opt, progress=bool(self.verbose))
            self.history_ = trainer.fit((self._scaled(x), y), epochs=self.epochs, batch_size=self.batch_size).rows
        finally:
            if self.random_state is not None:
                stream.state = before

    def _scaled(self, x: Any) -> Tensor:
        return wrap(((x - self.mean_) / self.scale_).astype("float64"), None)

    def _outputs(self, x: Any) -> np.ndarray:
        check_is_fitted(self)
        x = validate_data(self, x, reset=False)
        loss = nn.MSELoss()
        opt = self.optimizer(self.module_.parameters(), lr=self.lr)
        return Trainer(self.module_, loss, opt, progress=False).predict(self._scaled(x)).numpy()


class Classifier(ClassifierMixin, _Estimator):
    """A net that classifies, as a scikit-learn estimator: fit, predict, predict_proba, score; in pipelines, searches, cross validation.

    Args:
        module: ``module(inputs, classes)`` makes the net; its outputs are logits. Default: one hidden layer of 64.
        epochs, lr, batch_size, weight_decay, optimizer: how it is trained, by cross entropy. Inputs are standardised first.
        random_state: a seed; the same seed gives the same net.
        verbose: show progress.

    Example:
        >>> import numpy as np
        >>> from minigrad.train import Classifier  # doctest: +SKIP
        >>> Classifier(epochs=20).fit(x, labels).score(x, labels)  # doctest: +SKIP
    """

    def fit(self, X: Any, y: Any) -> "Classifier":
        """Train on samples X (n, features) and labels y (n,) of any kind."""
        X, y = validate_data(self, X, y)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        self._fit(X, codes.astype("int64"), len(self.classes_), nn.CrossEntropyLoss())
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, (n, classes)."""
        z = self._outputs(X)
        e = np.exp(z - z.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each sample."""
        best = self._outputs(X).argmax(1)
        return self.classes_[best]


class Regressor(RegressorMixin, _Estimator):
    """A net that predicts numbers, as a scikit-learn estimator; inputs and targets are standardised. Args: as Classifier.

    Example:
        >>> from minigrad.train import Regressor  # doctest: +SKIP
        >>> Regressor(epochs=20).fit(x, y).predict(x)  # doctest: +SKIP
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any) -> "Regressor":
        """Train on samples X (n, features) and targets y, (n,) or (n, outputs)."""
        X, y = validate_data(self, X, y, multi_output=True, y_numeric=True)
        goal = y.reshape(len(y), -1).astype("float64")
        self.y_mean_, scale = goal.mean(0), goal.std(0)
        self.y_scale_, self._flat = np.where(scale > 0, scale, 1), y.ndim == 1
        self._fit(X, ((goal - self.y_mean_) / self.y_scale_), goal.shape[1], nn.MSELoss())
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The predicted numbers, in the shape of y."""
        z = self._outputs(X)
        y = z * self.y_scale_ + self.y_mean_
        return y[:, 0] if self._flat else y


__all__ = ["Classifier", "Regressor", "mlp"]
