"""scikit-learn's conventions for estimators, without scikit-learn.

scikit-learn asks for methods, not for its base classes; so fastdl can be imported without it, and
its estimators still work in pipelines, searches and cross-validation.
"""

from __future__ import annotations

import copy
import inspect
import sys
from typing import Any, ClassVar

import numpy as np


class NotFittedError(ValueError, AttributeError):
    """An estimator was used before ``fit``; where scikit-learn is loaded, its own is raised."""


class DataConversionWarning(UserWarning):
    """A shape was guessed; where scikit-learn is loaded, its own warning is given."""


def exception(name: str) -> Any:
    """The exception or warning of this name: scikit-learn's where that is loaded, else ours."""
    return getattr(sys.modules.get("sklearn.exceptions"), name, None) or globals()[name]


def is_missing(item: Any) -> bool:
    """Whether an object is None, NaN, or pandas' NA and NaT."""
    if item is None:
        return True
    try:
        return bool(item != item)
    except TypeError:  # of NA nothing can be said
        return True


class Estimator:
    """Base of estimators: their parameters are the constructor's arguments, stored as given."""

    weighted_methods: ClassVar[tuple[str, ...]] = ()  # those that take sample_weight

    @classmethod
    def _parameter_defaults(cls) -> dict[str, Any]:
        """The constructor's arguments and their defaults, in its order."""
        signature = inspect.signature(cls.__init__)
        return {name: p.default for name, p in signature.parameters.items() if name != "self"}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters by name. No parameter is an estimator, so ``deep`` changes nothing."""
        return {name: getattr(self, name) for name in sorted(self._parameter_defaults())}

    def set_params(self, **params: Any) -> Any:
        """Set parameters, which ``fit`` checks; ValueError for a name that is none of them."""
        known = self._parameter_defaults()
        for name in params:
            if name not in known:
                raise ValueError(
                    f"Invalid parameter {name!r} for estimator {self!r}. Valid parameters are: "
                    f"{', '.join(known)}."
                )
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def get_metadata_routing(self) -> Any:
        """Which arguments of methods scikit-learn's metadata routing has to pass."""
        known = vars(self).get("_metadata_request")
        if known is not None:
            return copy.deepcopy(known)
        from sklearn.utils.metadata_routing import MetadataRequest

        found = MetadataRequest(owner=self)
        for method in self.weighted_methods:
            getattr(found, method).add_request(param="sample_weight", alias=None)
        return found

    def _ask_for_weights(self, method: str, sample_weight: bool | str | None) -> Any:
        requests = self.get_metadata_routing()
        getattr(requests, method).add_request(param="sample_weight", alias=sample_weight)
        self._metadata_request = requests  # the name by which scikit-learn's clone knows it
        return self

    def _check_fitted(self) -> None:
        """NotFittedError before ``fit``."""
        if not self.__sklearn_is_fitted__():
            name = type(self).__name__
            raise exception("NotFittedError")(f"This {name} is not fitted yet; call fit first.")

    def __sklearn_is_fitted__(self) -> bool:
        return any(name.endswith("_") and not name.startswith("__") for name in vars(self))

    def __repr__(self) -> str:
        defaults = self._parameter_defaults()
        own = {name: getattr(self, name) for name in defaults}
        changed = [f"{k}={v!r}" for k, v in own.items() if repr(v) != repr(defaults[k])]
        return f"{type(self).__name__}({', '.join(changed)})"


class Classifier(Estimator):
    """Base of classifiers, from their ``predict_proba``."""

    _estimator_type = "classifier"
    weighted_methods: ClassVar[tuple[str, ...]] = ("fit", "partial_fit", "score")
    multi_class: ClassVar[bool] = True
    classes_: np.ndarray

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes, (N, classes)."""
        raise NotImplementedError

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithms of ``predict_proba``, of its shape."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> np.ndarray:
        """The most probable of ``classes_``, (N,)."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def set_fit_request(self, *, sample_weight: bool | str | None = None) -> Any:
        """Whether metadata routing passes sample_weight to ``fit``; returns the estimator."""
        return self._ask_for_weights("fit", sample_weight)

    def set_partial_fit_request(self, *, sample_weight: bool | str | None = None) -> Any:
        """Whether metadata routing passes sample_weight to ``partial_fit``."""
        return self._ask_for_weights("partial_fit", sample_weight)

    def set_score_request(self, *, sample_weight: bool | str | None = None) -> Any:
        """Whether metadata routing passes sample_weight to ``score``; returns the estimator."""
        return self._ask_for_weights("score", sample_weight)

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(multi_class=self.multi_class),
            transformer_tags=None,
            regressor_tags=None,
            # text is taken too, but the tag ``string`` would ask for any object in its place
            input_tags=InputTags(allow_nan=True, two_d_array=not self.multi_class,
                                 three_d_array=self.multi_class),
        )  # fmt: skip


class BinaryClassifier(Classifier):
    """Base of classifiers of two classes, from their ``predict_proba``."""

    multi_class = False

    def decision_function(self, X: Any) -> np.ndarray:
        """The log odds log(p / (1 - p)) of ``classes_[1]``, float64 (N,)."""
        p = self.predict_proba(X)[:, 1].astype(np.float64)
        tiny = np.finfo(np.float64).tiny
        return np.log(np.maximum(p, tiny)) - np.log(np.maximum(1 - p, tiny))

    def predict(self, X: Any) -> np.ndarray:
        """The more probable of ``classes_``, (N,)."""
        second = self.predict_proba(X)[:, 1] > 0.5
        return self.classes_[second.astype(np.intp)]
