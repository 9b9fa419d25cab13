"""A model as MLflow serves it; imported only where one is logged or loaded."""

from __future__ import annotations

import pandas as pd
from mlflow.pyfunc import PythonModel

from smclab.classifier import Model


class ServedModel(PythonModel):
    "A table of features in, probability and percentile out."

    def __init__(self, model: Model):
        self.model = model

    def predict(self, context, model_input: pd.DataFrame, params: dict | None = None) -> pd.DataFrame:
        "One row per row: p and its percentile among the out-of-fold probabilities."
        p = self.model.probability(self.model.matrix(model_input))
        return pd.DataFrame({"p": p, "percentile": self.model.percentile(p)}, index=model_input.index)
