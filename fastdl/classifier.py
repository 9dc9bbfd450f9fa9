"""CTR models with scikit-learn's methods: frames, arrays or files in, probabilities out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .calibration import as_calibrator
from .callbacks import Callback, EarlyStopping
from .checkpoint import describe, network_arrays, restore
from .classes import checked_labels, codes, two_classes
from .estimator import BinaryClassifier
from .fitting import (
    Rows,
    batch_rows,
    bucket_columns,
    generator,
    make_model,
    make_optimizer,
    model_class,
    row_weights,
    split,
    threads_for,
)
from .models.ctr import CTRModel
from .optimizers import KernelOptimizer
from .trainer import Trainer
from .validation import check_size

# .data and .samples are imported where they are needed: `import fastdl` stays fast
if TYPE_CHECKING:
    from .samples import Samples, Source


class CTRClassifier(BinaryClassifier):
    """A CTR model with embeddings, its encoder and its training, as a scikit-learn classifier.

    model: "deepfm" or another of ``fastdl.models.ctr`` in lower case, or a subclass of CTRModel.
    embedding_dim, hidden, dropout, embedding_l2, model_options (a dict of further ones): see
    CTRModel. numbers, min_count, columns: see ``fastdl.data.FeatureEncoder``. buckets: ids of a
    numeric column; None takes a 64th of the rows, from 8 to 64. epochs: passes at most.
    batch_size: rows of a step; None takes a 64th of the rows, from 32 to 256 (an 8th of fewer
    than 256 rows). optimizer: "adam" or another of ``fastdl.optimizers`` in lower case, with the
    rate lr (a number or a schedule) and optimizer_options.

    validation_fraction of the rows, at random, decide when to stop: when their loss has not fallen
    for ``patience`` epochs, and the best epoch's weights stay. Where that makes fewer than 50
    rows, or is 0, all rows train for all epochs. calibrate: "platt", "isotonic" or "temperature",
    fitted on the same rows. warm_start: ``fit`` goes on with encoder and weights. random_state: an
    int, a RandomState or Generator, None draws from NumPy's global state. verbose: print epochs.

    X is a two-dimensional array (columns x0, x1 ...), a pandas or polars frame, a pyarrow Table, a
    dict of arrays, or files: a path, a pattern, a folder or a list of paths. NaN and None are
    missing values. After ``fit``: classes_ (two values, the second one is what probabilities are
    of; 0 and 1 for files), n_features_in_, feature_names_in_ (unless X was an array), model_,
    encoder_, history_ (figures of each epoch), n_iter_ (epochs), label_ (the label's column).

    >>> import numpy as np
    >>> X = np.random.default_rng(0).standard_normal((400, 3))
    >>> y = np.where(X[:, 0] + X[:, 1] > 0, "yes", "no")
    >>> classifier = CTRClassifier("deepfm", random_state=0).fit(X, y)
    >>> classifier.predict(np.array([[2.0, 2.0, 0.0], [-2.0, -2.0, 0.0]])).tolist()
    ['yes', 'no']
    >>> classifier.predict_proba(X).shape
    (400, 2)
    """

    def __init__(
        self, model: str | type[CTRModel] = "deepfm", *, embedding_dim: int = 16,
        hidden: Sequence[int] = (64, 32), dropout: float = 0.0, embedding_l2: float = 1e-5,
        model_options: Mapping[str, Any] | None = None, numbers: str = "buckets",
        buckets: int | None = None, min_count: int = 2,
        columns: Mapping[str, str | Mapping[str, Any]] | None = None, epochs: int = 20,
        batch_size: int | None = None, lr: Any = 0.002, optimizer: str = "adam",
        optimizer_options: Mapping[str, Any] | None = None, validation_fraction: float = 0.1,
        patience: int = 2, calibrate: str | None = None, warm_start: bool = False,
        random_state: Any = None, verbose: bool = False,
    ) -> None:  # fmt: skip
        self.model = model
        self.embedding_dim = embedding_dim
        self.hidden = hidden
        self.dropout = dropout
        self.embedding_l2 = embedding_l2
        self.model_options = model_options
        self.numbers = numbers
        self.buckets = buckets
        self.min_count = min_count
        self.columns = columns
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.optimizer = optimizer
        self.optimizer_options = optimizer_options
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.calibrate = calibrate
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self, X: Any, y: Any = None, *, sample_weight: Any = None, label: str | None = None,
        positive: Any = None, format: str | None = None, eval_set: Any = None,
    ) -> CTRClassifier:  # fmt: skip
        """Learn encoder and model from X and the labels y (N,) of two values.

        Without y the labels are the column ``label`` of a file, frame or dict (by default label,
        click, clicked or clk). positive: the value that becomes ``classes_[1]``. format: of files
        whose name does not tell, see ``fastdl.data.read_log``. sample_weight (N,): rows of weight
        0 are left out. eval_set: rows that decide when to stop, in place of a share of X: (X, y),
        or a frame or file that has the label.

        Raises TypeError and ValueError for parameters and data that cannot be used.
        """
        going_on = self.warm_start and self.__sklearn_is_fitted__()
        self._check_parameters()
        optimizer = make_optimizer(self.optimizer, self.lr, self.optimizer_options)
        rng = generator(self.random_state)
        source = self._source(y, label, positive, format, going_on)
        samples, weight = self._samples(X, y, sample_weight, source)
        if not going_on:
            self._begin(samples, source)
        training, validation = self._rows(samples, weight, source), None
        if eval_set is None:
            training, validation = split(training, self.validation_fraction, rng)
            self._check_calibrate(validation)
        if not going_on:
            self._build(training, rng)
        if eval_set is not None:
            validation = self._evaluation_rows(eval_set)
        self._train(training, validation, optimizer, rng)
        return self

    def partial_fit(
        self, X: Any, y: Any = None, *, classes: Any = None, sample_weight: Any = None,
        label: str | None = None, positive: Any = None, format: str | None = None,
    ) -> CTRClassifier:  # fmt: skip
        """Learn on from new rows in one pass, with encoder and optimizer as they are.

        Of a classifier that is not fitted the first rows are what its encoder learns from; classes
        names the two values where these rows may lack one. The optimizer's moments start anew
        behind ``fit``, ``load`` and pickle. A calibrator stays what it is.
        """
        fitted = self.__sklearn_is_fitted__()
        self._check_parameters()
        source = self._source(y, label, positive, format, fitted)
        samples, weight = self._samples(X, y, sample_weight, source)
        if not fitted:
            self._begin(samples, source, classes)
        rows = self._rows(samples, weight, source)
        if not hasattr(self, "_online"):
            optimizer = make_optimizer(self.optimizer, self.lr, self.optimizer_options)
            self._online = optimizer, generator(self.random_state)
        if not fitted:
            self._build(rows, self._online[1])
        self._train(rows, None, *self._online, once=True)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of ``classes_[0]`` and ``classes_[1]``, float32 (N, 2).

        Raises NotFittedError (a ValueError) before ``fit``, ValueError for other columns than
        those of ``fit``. Of files and dicts only the columns that the encoder takes are looked at.
        """
        from .samples import features_of

        self.check_fitted()
        source = self._source(None, None, None, None, fitted=True)
        return self._probabilities(features_of(X, source), source)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """The share of rows whose class is predicted; without y the labels are X's own column."""
        from .samples import samples_of

        self.check_fitted()
        source = self._source(y, None, None, None, fitted=True)
        samples = samples_of(X, y, source)
        second = self._probabilities(samples, source)[:, 1] > 0.5
        right = self.classes_[second.astype(np.intp)] == self._labels(samples)
        return float(np.average(right, weights=row_weights(sample_weight, len(right))))

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write model, encoder, classes and parameters into a folder, as ``fastdl train`` does.

        ``fastdl predict --model FOLDER`` and ``CTRClassifier.load`` read it. Parameters that JSON
        cannot hold are left out.
        """
        from .classifier_files import write_classifier

        self.check_fitted()
        write_classifier(self, folder)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> CTRClassifier:
        """The classifier of a folder by ``save``, or by ``fastdl train`` with an embedding model.

        Raises FileNotFoundError, and ValueError for files that are damaged or do not belong
        together.
        """
        from .classifier_files import read_classifier

        classifier = cls()
        for name, value in read_classifier(folder).items():
            setattr(classifier, name, value)
        return classifier

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in vars(self).items() if name != "_online"}
        if "model_" in state:  # networks hold views of one array, which pickle would tear apart
            state["model_"] = describe(self.model_), network_arrays(self.model_)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if "model_" in state:
            self.model_ = restore(*state["model_"], "The pickled classifier")

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
        return Source(who, label, positive, format or self.format_, self.label_, self.encoder_)

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
        """Forget what an earlier fit learned, and learn the classes and the columns' names."""
        for name in [n for n in vars(self) if n.endswith("_") or n == "_online"]:
            delattr(self, name)
        if samples.binary:
            self.classes_ = np.array([0, 1])
        else:
            y = samples.y if classes is None else checked_labels(classes, len(classes))
            self.classes_ = two_classes(y, source.positive)
        self.n_features_in_ = samples.table.num_columns
        if samples.named:
            self.feature_names_in_ = np.array(samples.table.column_names, object)
        self.label_, self.format_ = samples.label, source.format
        plain = samples.binary or np.isin(self.classes_, (0, 1)).all()
        self.positive_ = source.positive if plain else self.classes_.tolist()[1]

    def _rows(self, samples: Samples, weight: np.ndarray | None, source: Source) -> Rows:
        from .samples import aligned

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
        from .data import FeatureEncoder

        columns = bucket_columns(rows.table, self.numbers, self.buckets, self.columns)
        self.encoder_ = FeatureEncoder(
            numbers=self.numbers, min_count=self.min_count, columns=columns
        ).fit(rows.table)
        self.model_ = make_model(
            model_class(self.model), self.encoder_.spec_, rows, self.hidden, rng,
            embedding_dim=self.embedding_dim, dropout=self.dropout,
            embedding_l2=self.embedding_l2, **(self.model_options or {}),
        )  # fmt: skip

    def _train(
        self, rows: Rows, validation: Rows | None, optimizer: KernelOptimizer,
        rng: np.random.Generator, *, once: bool = False,
    ) -> None:  # fmt: skip
        """Train with early stopping where there are validation rows, and calibrate on them."""
        x, val, t_val, w_val = self.encoder_.transform(rows.table), None, None, None
        callbacks: list[Callback] = []
        if validation is not None:
            val, t_val = self.encoder_.transform(validation.table), validation.t
            w_val = validation.weight
            callbacks.append(EarlyStopping(patience=self.patience))
        trainer, batch = Trainer(self.model_, optimizer), batch_rows(self.batch_size, len(rows.t))
        with threads_for(self.model_, batch):
            trainer.train(
                x, rows.t, val, t_val, 1 if once else self.epochs, batch, callbacks=callbacks,
                drop_last=not once, rng=rng, loss_at="before", sample_weight=rows.weight,
                val_sample_weight=w_val, verbose=bool(self.verbose),
            )  # fmt: skip
        self.history_, self.n_iter_ = trainer.history, len(trainer.history["epoch"])
        if not once:
            self.model_.calibrators.clear()
        if validation is not None and self.calibrate is not None:
            self.model_.calibrate(val, t_val, self.calibrate, w_val)

    def _probabilities(self, samples: Samples, source: Source) -> np.ndarray:
        from .samples import aligned

        table = aligned(samples, self._names(), self.n_features_in_, source)
        x = self.encoder_.transform(table)
        with threads_for(self.model_, len(table)):
            return self.model_.predict_proba(x)
