"""What is behind a CTR classifier's ``fit``: rows in, an encoder and a trained model out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..calibration import as_calibrator
from ..callbacks import Callback, EarlyStopping
from ..models.ctr import CTRModel
from ..optimizers import KernelOptimizer
from ..trainer import Trainer
from ..validation import check_size
from .alignment import aligned
from .classes import checked_labels, codes, two_classes
from .conventions import BinaryClassifier
from .fitting import (
    Rows,
    batch_rows,
    bucket_columns,
    make_model,
    model_class,
    row_weights,
    threads_for,
)
from .pickled import HoldsModel

# .data and .samples are imported where they are needed: `import fastdl` stays fast
if TYPE_CHECKING:
    from ..data import FeatureEncoder
    from .samples import Samples, Source


class TableClassifier(HoldsModel, BinaryClassifier):
    """Base of ``CTRClassifier``, which says what its parameters and attributes mean.

    It reads X and y, learns classes, names and encoder, and trains; rows are a table all along.
    """

    model: str | type[CTRModel]
    embedding_dim: int
    hidden: Sequence[int]
    dropout: float
    embedding_l2: float
    model_options: Mapping[str, Any] | None
    numbers: str
    buckets: int | None
    min_count: int
    columns: Mapping[str, str | Mapping[str, Any]] | None
    epochs: int
    batch_size: int | None
    patience: int
    validation_fraction: float
    calibrate: str | None
    verbose: bool

    n_features_in_: int
    feature_names_in_: np.ndarray
    label_: str | None
    positive_: Any
    format_: str | None
    by_name_: bool
    encoder_: FeatureEncoder
    model_: CTRModel
    history_: dict[str, list[Any]]
    n_iter_: int
    _online: tuple[KernelOptimizer, np.random.Generator]  # of partial_fit

    def _source(
        self, y: Any, label: str | None, positive: Any, format: str | None, fitted: bool
    ) -> Source:
        """How X is read; a fitted classifier knows label, positive value, format and columns."""
        from .samples import Source

        who = type(self).__name__
        if not fitted:
            return Source(who, label, positive, format)
        label = label or (self.label_ if y is None else None)
        positive = self.positive_ if positive is None else positive
        known = (self.label_, self.encoder_, self.by_name_)
        return Source(who, label, positive, format or self.format_, *known)

    def _samples(
        self, X: Any, y: Any, sample_weight: Any, source: Source
    ) -> tuple[Samples, np.ndarray | None]:
        """X with labels, and weights; rows of weight 0 are left out."""
        from .samples import is_path, rows_of, samples_of

        if sample_weight is not None and is_path(X):
            raise ValueError("sample_weight was given with a file; read it into a frame for that.")
        samples = samples_of(X, y, source)
        weight = row_weights(sample_weight, len(samples.y))
        if weight is not None and not weight.all():
            kept = weight > 0
            return rows_of(samples, kept), weight[kept]
        return samples, weight

    def _begin(self, samples: Samples, source: Source, classes: Any = None) -> None:
        """Learn the classes and the columns' names; what an earlier fit learned is forgotten."""
        self._forget()
        if samples.binary:
            self.classes_ = np.array([0, 1])
        else:
            y = samples.y if classes is None else checked_labels(classes, len(classes))
            self.classes_ = two_classes(y, source.positive)
        self.n_features_in_ = samples.table.num_columns
        if samples.named:
            self.feature_names_in_ = np.array(samples.table.column_names, object)
        self.label_, self.format_, self.by_name_ = samples.label, source.format, samples.by_name
        plain = samples.binary or np.isin(self.classes_, (0, 1)).all()
        given = source.positive
        given = given.item() if isinstance(given, np.generic) else given  # JSON has to hold it
        self.positive_ = given if plain else self.classes_.tolist()[1]

    def _rows(self, samples: Samples, weight: np.ndarray | None, source: Source) -> Rows:
        table = aligned(samples, self._names(), self.n_features_in_, source)
        return Rows(table, codes(self._labels(samples), self.classes_), weight)

    def _evaluation_rows(self, eval_set: Any) -> Rows:
        X, y = eval_set if isinstance(eval_set, tuple) and len(eval_set) == 2 else (eval_set, None)
        source = self._source(y, None, None, None, fitted=True)
        return self._rows(*self._samples(X, y, None, source), source)

    def _names(self) -> np.ndarray | None:
        return getattr(self, "feature_names_in_", None)

    def _labels(self, samples: Samples) -> np.ndarray:
        """Labels as ``classes_`` has them; those of files are 0 and 1."""
        return self.classes_[samples.y] if samples.binary else samples.y

    def _check_parameters(self) -> None:
        """What can be told before any data is read."""
        model_class(self.model)
        check_size(self.epochs, "epochs")
        if self.calibrate is not None:
            as_calibrator(self.calibrate)

    def _check_calibrate(self, validation: Rows | None) -> None:
        if self.calibrate is not None and validation is None:
            raise ValueError(
                "calibrate= needs validation rows of both classes: give eval_set, or so many rows "
                "that the validation_fraction has 50; for fewer there is sklearn.calibration."
            )

    def _build(self, rows: Rows, rng: np.random.Generator) -> None:
        """The encoder, fitted, and the model, not trained."""
        from ..data import FeatureEncoder

        columns = bucket_columns(rows.table, self.numbers, self.buckets, self.columns)
        self.encoder_ = FeatureEncoder(
            numbers=self.numbers, min_count=self.min_count, columns=columns
        ).fit(rows.table)
        self.model_ = make_model(
            model_class(self.model), self.encoder_.spec_, rows.t, rows.weight, self.hidden, rng,
            embedding_dim=self.embedding_dim, dropout=self.dropout,
            embedding_l2=self.embedding_l2, **(self.model_options or {}),
        )  # fmt: skip

    def _train(
        self, rows: Rows, validation: Rows | None, optimizer: KernelOptimizer,
        rng: np.random.Generator, *, once: bool = False,
    ) -> None:  # fmt: skip
        """Train with early stopping where there are validation rows, and calibrate on them."""
        x, held, t_held = self.encoder_.transform(rows.table), None, None
        callbacks: list[Callback] = []
        if validation is not None:
            held, t_held = self.encoder_.transform(validation.table), validation.t
            callbacks.append(EarlyStopping(patience=self.patience))
        trainer, batch = Trainer(self.model_, optimizer), batch_rows(self.batch_size, len(rows.t))
        with threads_for(self.model_, batch):
            trainer.train(
                x, rows.t, held, t_held, 1 if once else self.epochs, batch, callbacks=callbacks,
                drop_last=not once, rng=rng, loss_at="before", sample_weight=rows.weight,
                val_sample_weight=None if validation is None else validation.weight,
                verbose=bool(self.verbose),
            )  # fmt: skip
        self.history_, self.n_iter_ = trainer.history, len(trainer.history["epoch"])
        if not once:
            self.model_.calibrators.clear()
        if validation is not None and self.calibrate is not None:
            self.model_.calibrate(held, validation.t, self.calibrate, validation.weight)

    def _probabilities(self, samples: Samples, source: Source) -> np.ndarray:
        table = aligned(samples, self._names(), self.n_features_in_, source)
        x = self.encoder_.transform(table)
        with threads_for(self.model_, len(table)):
            return self.model_.predict_proba(x)
