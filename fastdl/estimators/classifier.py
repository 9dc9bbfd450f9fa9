"""CTR models with scikit-learn's methods: frames, arrays or files in, probabilities out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..models.ctr import CTRModel
from .fitting import generator, make_optimizer, row_weights, split
from .table_classifier import TableClassifier

if TYPE_CHECKING:
    from .samples import Samples, Source


class CTRClassifier(TableClassifier):
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
        or a frame or file that has the label. Files of a million rows and more are streamed, with
        memory bounded, where there are no weights and eval_set, if given, is files too.

        Raises TypeError and ValueError for parameters and data that cannot be used.
        """
        from .streaming import fit_stream, large_log

        going_on = self.warm_start and self.__sklearn_is_fitted__()
        self._check_parameters()
        optimizer = make_optimizer(self.optimizer, self.lr, self.optimizer_options)
        rng = generator(self.random_state)
        source = self._source(y, label, positive, format, going_on)
        log = large_log(X, source, sample_weight, eval_set) if y is None else None
        if log is not None:
            fit_stream(self, log, source, eval_set, optimizer, rng, going_on)
            return self
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
        from .samples import pieces_of

        self._check_fitted()
        source = self._source(None, None, None, None, fitted=True)
        pieces = pieces_of(X, source, labelled=False)
        return np.concatenate([self._probabilities(piece, source) for piece in pieces])

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """The share of rows whose class is predicted; without y the labels are X's own column."""
        from .samples import is_path, pieces_of, samples_of

        self._check_fitted()
        source = self._source(y, None, None, None, fitted=True)
        files = is_path(X) and y is None
        pieces = pieces_of(X, source, labelled=True) if files else [samples_of(X, y, source)]
        right = np.concatenate([self._is_right(piece, source) for piece in pieces])
        return float(np.average(right, weights=row_weights(sample_weight, len(right))))

    def _is_right(self, samples: Samples, source: Source) -> np.ndarray:
        second = self._probabilities(samples, source)[:, 1] > 0.5
        return self.classes_[second.astype(np.intp)] == self._labels(samples)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write model, encoder, classes and parameters into a folder, as ``fastdl train`` does.

        ``fastdl predict --model FOLDER`` and ``CTRClassifier.load`` read it. Parameters that JSON
        cannot hold are left out.
        """
        from .files import write_classifier

        self._check_fitted()
        write_classifier(self, folder)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> CTRClassifier:
        """The classifier of a folder by ``save``, or by ``fastdl train`` with an embedding model.

        Raises FileNotFoundError, and ValueError for files that are damaged or do not belong
        together.
        """
        from .files import read_classifier

        return cls._with(read_classifier(folder))
