"""Floor 5: how good a model is, as states that batches are added to and that can be merged."""

from .classification import Accuracy, Perplexity, TopK
from .confusion import F1, ConfusionMatrix, Precision, Recall
from .metric import Metric
from .ranking import AUROC
from .regression import MAE, MSE, R2, RMSE

__all__ = ["AUROC", "F1", "MAE", "MSE", "R2", "RMSE", "Accuracy", "ConfusionMatrix", "Metric", "Perplexity", "Precision", "Recall", "TopK"]
