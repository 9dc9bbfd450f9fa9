"""CTRClassifier: what goes in, what comes out, and that files and methods agree."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from fastdl.models.ctr import BY_NAME as MODELS
from pyarrow import csv, parquet

import fastdl
from fastdl import CTRClassifier, cli
from fastdl.data import generate_ad_log, read_log, write_ad_log

CTR = Path(__file__).parents[2] / "shared" / "data" / "ctr"
real = pytest.mark.skipif(not CTR.is_dir(), reason=f"{CTR} is absent")
LOG = generate_ad_log(1200, seed=3, categorical=4, numeric=3).drop_columns(["click_probability"])
TEXT = LOG.cast(pa.schema([pa.field(f.name, pa.string()) if f.name[0] == "C" else f
                           for f in LOG.schema]))  # fmt: skip
CLICKS = LOG["label"].to_numpy()
QUICK = {"embedding_dim": 4, "hidden": (8,), "epochs": 3, "lr": 0.01, "random_state": 0}


def quick(**given) -> CTRClassifier:
    return CTRClassifier(**{**QUICK, **given})


@pytest.fixture(scope="module")
def fitted() -> CTRClassifier:
    return quick().fit(LOG)


def numbers(rows: int = 200) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(1).standard_normal((rows, 3))
    return x, (x[:, 0] > 0).astype(int)


def frame(library: str, table: pa.Table = TEXT):
    if library == "pandas":
        pytest.importorskip("pandas")
        return table.to_pandas()
    if library == "polars":
        return pytest.importorskip("polars").from_arrow(table)
    return {name: table[name].to_numpy() for name in table.column_names}


@pytest.mark.parametrize("library", ["pandas", "polars", "dict"])
def test_every_container_gives_the_same_bits(fitted, library):
    log = frame(library)
    expected = fitted.predict_proba(LOG)
    other = quick().fit(log)
    assert other.feature_names_in_.tolist() == LOG.column_names[1:]
    assert other.label_ == "label"
    for x in (log, LOG, frame(library, TEXT.drop_columns(["label"]))):
        assert other.predict_proba(x).tobytes() == expected.tobytes()
    assert expected.dtype == np.float32
    assert expected[:, 1].std() > 0.02


def test_files_and_patterns_give_the_same_bits(fitted, tmp_path):
    for i in range(2):
        parquet.write_table(TEXT[i * 600 : (i + 1) * 600], tmp_path / f"part_{i}.parquet")
    expected = fitted.predict_proba(LOG)
    found = quick().fit(f"{tmp_path}/*.parquet")
    assert found.classes_.tolist() == [0, 1]
    for files in (tmp_path, [tmp_path / "part_0.parquet", str(tmp_path / "part_1.parquet")]):
        assert found.predict_proba(files).tobytes() == expected.tobytes()
    csv.write_csv(TEXT, tmp_path / "log.csv")
    assert found.predict_proba(tmp_path / "log.csv").tobytes() == expected.tobytes()
    assert found.score(tmp_path / "log.csv") == fitted.score(LOG) == fitted.score(LOG, CLICKS)


def test_lists_times_and_gaps_in_every_container():
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    content = {
        "tags": [["a", "b"][: i % 3] for i in range(90)],
        "when": (np.datetime64("2024-01-01T00:00:00") + np.arange(90) * 3600).astype("M8[us]"),
        "city": ["Rome" if i % 5 else None for i in range(90)],
        "seen": [i % 4 == 0 for i in range(90)],
    }
    gaps = {
        **content,
        "city": np.array([np.nan if c is None else c for c in content["city"]], object),
    }
    y, found = np.arange(90) % 4 == 0, []
    for x in (pa.table(content), pandas.DataFrame(content), polars.DataFrame(content), gaps):
        own = quick().fit(x, y)
        assert [kind for _, kind, _ in own.encoder_.describe()] == [
            "list",
            "date",
            "category",
            "category",
        ]
        found.append(own.predict_proba(x).tobytes())
    assert len(set(found)) == 1


def test_verbose_prints_epochs(capsys):
    quick(epochs=2).fit(LOG)
    assert capsys.readouterr().out == ""
    quick(epochs=2, verbose=True).fit(LOG)
    assert "Epoch 2/2 - Loss" in capsys.readouterr().out


def test_a_shuffled_pandas_index_is_no_feature():
    log = frame("pandas").sample(frac=1, random_state=0)
    found = quick(epochs=1).fit(log)
    assert "__index_level_0__" not in found.encoder_.spec_.names
    table = pa.Table.from_pandas(log, preserve_index=False)
    assert found.predict_proba(log).tobytes() == found.predict_proba(table).tobytes()


@pytest.mark.parametrize(
    "values", [["no", "yes"], [-1, 1], [False, True], [2.0, 5.0], np.array(["n", "y"], object)]
)
def test_any_two_values_are_classes(values):
    x, t = numbers()
    y = np.asarray(values)[t]
    found = quick(epochs=8).fit(x, y)
    assert found.classes_.tolist() == list(values)
    assert found.classes_.dtype == y.dtype
    assert found.predict(x).dtype == y.dtype
    assert found.score(x, y) > 0.9
    np.testing.assert_array_equal(found.predict(x) == y, found.predict_proba(x).argmax(1) == t)


def test_positive_names_the_second_class():
    x, t = numbers()
    y = np.where(t, "click", "view")
    found = quick(epochs=8).fit(x, y, positive=np.str_("click"))
    assert found.classes_.tolist() == ["view", "click"]
    assert fastdl.metrics.roc_auc(t, found.predict_proba(x)[:, 1]) > 0.95
    with pytest.raises(ValueError, match=r"positive is 'buy', but the classes are 'click', 'view'"):
        quick().fit(x, y, positive="buy")


def test_a_text_label_of_a_file_is_scored_like_that_of_a_frame(tmp_path):
    words = pa.array(np.where(CLICKS == 1, "click", "view"))
    log = TEXT.set_column(0, "event", words)
    parquet.write_table(log, tmp_path / "log.parquet")
    of_frame = quick().fit(log, label="event", positive="click")
    of_file = quick().fit(tmp_path / "log.parquet", label="event", positive="click")
    assert of_frame.classes_.tolist() == ["view", "click"]
    assert of_file.classes_.tolist() == [0, 1]
    assert of_frame.predict_proba(log).tobytes() == of_file.predict_proba(log).tobytes()
    assert of_frame.score(tmp_path / "log.parquet") == of_frame.score(log)
    assert of_file.score(tmp_path / "log.parquet") == of_frame.score(log)


def test_decision_function_is_the_log_odds(fitted):
    p = fitted.predict_proba(LOG).astype(np.float64)
    odds = fitted.decision_function(LOG)
    np.testing.assert_allclose(odds, np.log(p[:, 1] / p[:, 0]), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(fitted.predict_log_proba(LOG), np.log(p), rtol=1e-5)


def test_rows_of_weight_0_are_left_out_and_weights_count():
    x, t = numbers()
    weight = np.ones(200)
    weight[150:] = 0
    part = quick().fit(x[:150], t[:150])
    whole = quick().fit(x, t, sample_weight=weight)
    assert whole.predict_proba(x).tobytes() == part.predict_proba(x).tobytes()
    coin = np.random.default_rng(2).integers(0, 2, 200)
    heavy = quick().fit(x, coin, sample_weight=np.where(coin == 1, 20.0, 1.0))
    rate = 20 * coin.sum() / (20 * coin.sum() + (1 - coin).sum())
    np.testing.assert_allclose(heavy.predict_proba(x)[:, 1].mean(), rate, atol=0.03)
    assert heavy.score(x, coin, sample_weight=coin) > 0.9
    assert heavy.score(x, coin, sample_weight=1 - coin) < 0.1


def test_validation_rows_stop_training_and_calibrate(tmp_path):
    log, later = LOG[:900], LOG[900:]
    stopped = quick(epochs=40, lr=0.05, calibrate="platt").fit(log, eval_set=later)
    assert stopped.n_iter_ < 40
    losses = stopped.history_["val_loss"]
    assert len(losses) == stopped.n_iter_
    assert np.argmin(losses) == stopped.n_iter_ - 3  # patience 2
    assert [type(c).__name__ for c in stopped.model_.calibrators] == ["PlattScaling"]
    features = later.drop_columns(["label"])
    same = quick(epochs=40, lr=0.05, calibrate="platt").fit(
        log.drop_columns(["label"]),
        CLICKS[:900],
        eval_set=(features, CLICKS[900:]),
    )
    assert same.predict_proba(features).tobytes() == stopped.predict_proba(later).tobytes()
    parquet.write_table(later, tmp_path / "later.parquet")
    files = quick(epochs=40, lr=0.05).fit(log, eval_set=tmp_path / "later.parquet")
    assert files.history_["val_loss"] == losses
    assert quick(validation_fraction=0).fit(LOG).history_["val_loss"] == [None] * 3
    with pytest.raises(ValueError, match="calibrate= needs validation rows"):
        quick(calibrate="platt").fit(LOG[:100])


def test_the_encoder_learns_from_training_rows_only():
    marked = LOG.append_column("once", pa.array([str(i) for i in range(1200)]))
    found = quick(min_count=1).fit(marked)
    known = {column.name: column for column in found.encoder_.columns_}
    assert len(known["once"].vocabulary.values) == 1080


@pytest.mark.parametrize("state", [3, np.random.RandomState(3), None])
def test_equal_random_states_give_equal_bits(state):
    found = []
    for _ in range(2):
        np.random.seed(5)
        own = quick(epochs=1, random_state=copy.deepcopy(state)).fit(LOG)
        found.append(own.predict_proba(LOG).tobytes())
    assert found[0] == found[1]


def test_partial_fit_goes_through_every_row_and_learns_on():
    days = [LOG[:400], LOG[400:800], LOG[800:]]
    found = quick(batch_size=64)
    found.partial_fit(days[0])
    spec, first = found.encoder_.spec_, found.predict_proba(LOG)
    steps = found._online[0].t
    assert steps == 7  # 400 rows: the last batch has 16
    for day in days[1:]:
        found.partial_fit(day)
    assert found.encoder_.spec_ is spec
    assert found._online[0].t == 3 * steps
    before, after = (fastdl.metrics.evaluate(CLICKS, p[:, 1])["log_loss"]
                     for p in (first, found.predict_proba(LOG)))  # fmt: skip
    assert after < before
    x, t = numbers()
    ones = quick().partial_fit(x[t == 1], t[t == 1], classes=[0, 1]).partial_fit(x, t)
    assert ones.classes_.tolist() == [0, 1]
    with pytest.raises(ValueError, match="y has the values 7"):
        ones.partial_fit(x, np.full(200, 7))


def test_warm_start_goes_on_and_a_new_fit_forgets():
    found = quick(warm_start=True).fit(LOG[:600])
    encoder, first = found.encoder_, found.predict_proba(LOG)
    found.fit(LOG[600:])
    assert found.encoder_ is encoder
    second = found.predict_proba(LOG)
    assert not np.array_equal(first, second)
    x, t = numbers()
    found.set_params(warm_start=False).fit(x, t)
    assert not hasattr(found, "feature_names_in_")
    assert found.n_features_in_ == 3


@pytest.mark.parametrize("how", [pickle.dumps, None])
def test_copies_predict_and_learn_like_the_original(fitted, how):
    twin = pickle.loads(how(fitted)) if how else copy.deepcopy(fitted)
    assert twin.predict_proba(LOG).tobytes() == fitted.predict_proba(LOG).tobytes()
    twin.partial_fit(LOG)
    assert twin.predict_proba(LOG).tobytes() != fitted.predict_proba(LOG).tobytes()
    again = copy.deepcopy(fitted).partial_fit(LOG)
    assert again.predict_proba(LOG).tobytes() == twin.predict_proba(LOG).tobytes()


def test_saved_classifiers_predict_by_the_command_and_come_back(tmp_path):
    words = np.where(CLICKS == 1, "yes", "no")
    features = TEXT.drop_columns(["label"])
    found = quick(columns={"I1": {"kind": "buckets", "buckets": 9}}, calibrate="isotonic")
    found.fit(features, words)
    expected = found.predict_proba(features)
    folder, out = tmp_path / "model", tmp_path / "p.parquet"
    found.save(folder)
    csv.write_csv(features, tmp_path / "log.csv")
    with pytest.raises(SystemExit) as done:
        cli.main(["predict", "--model", str(folder), "--data", str(tmp_path / "log.csv"),
                  "--out", str(out)])  # fmt: skip
    assert not done.value.code
    probability = parquet.read_table(out)["probability"].to_numpy()
    assert probability.tobytes() == np.ascontiguousarray(expected[:, 1]).tobytes()
    back = CTRClassifier.load(folder)
    assert back.predict_proba(features).tobytes() == expected.tobytes()
    assert back.get_params() == found.get_params()
    assert back.classes_.tolist() == ["no", "yes"]
    assert back.feature_names_in_.tolist() == features.column_names
    np.testing.assert_array_equal(back.predict(features), found.predict(features))
    assert back.partial_fit(features, words).n_iter_ == 1


def test_arrays_and_schedules_survive_saving(tmp_path):
    x, t = numbers()
    rate = fastdl.schedules.CosineDecay(0.01, 50)
    found = quick(lr=rate, model=fastdl.DNN, epochs=np.int64(2)).fit(x, t)
    assert rate.describe() == fastdl.schedules.CosineDecay(0.01, 50).describe()
    found.save(tmp_path)
    back = CTRClassifier.load(tmp_path)
    assert back.lr.describe() == rate.describe()
    assert (back.model, back.epochs, back.hidden) == ("dnn", 2, (8,))
    assert not hasattr(back, "feature_names_in_")
    assert back.predict_proba(x).tobytes() == found.predict_proba(x).tobytes()


@pytest.mark.usefixtures("no_report")
def test_a_folder_of_the_command_is_loaded(tmp_path):
    parquet.write_table(TEXT, tmp_path / "log.parquet")
    with pytest.raises(SystemExit) as done:
        options = ["--hidden", "8", "--embedding-dim", "4", "--epochs", "1"]
        cli.main(["train", "--model", "deepfm", "--data", str(tmp_path / "log.parquet"), *options,
                  "--out", str(tmp_path / "run")])  # fmt: skip
    assert not done.value.code
    found = CTRClassifier.load(tmp_path / "run")
    network, encoder, _ = fastdl.scoring.load_model(tmp_path / "run")
    expected = network.predict_proba(encoder.transform(TEXT))
    assert found.predict_proba(tmp_path / "log.parquet").tobytes() == expected.tobytes()
    assert found.predict_proba(TEXT.drop_columns(["label"])).tobytes() == expected.tobytes()
    assert found.predict_proba(frame("pandas")).tobytes() == expected.tobytes()
    assert (found.model, found.embedding_dim, found.hidden) == ("deepfm", 4, (8,))
    assert found.n_iter_ == len(found.history_["val_loss"]) == 1
    assert found.score(tmp_path / "log.parquet") == found.score(TEXT) > 0.5


@pytest.mark.parametrize("change", ["cut", "newer", "lacks"])
def test_a_damaged_classifier_file_is_told(fitted, tmp_path, change):
    fitted.save(tmp_path)
    path = tmp_path / "classifier.json"
    known = json.loads(path.read_text())
    if change == "newer":
        known["format_version"] = 99
    elif change == "lacks":
        del known["classes"]
    path.write_text(json.dumps(known)[: -20 if change == "cut" else None])
    with pytest.raises(ValueError, match="newer" if change == "newer" else "damaged"):
        CTRClassifier.load(tmp_path)


def test_models_by_name_and_class():
    assert len(MODELS) == 13
    assert (
        type(quick(model="LogisticRegression", epochs=1).fit(LOG).model_)
        is MODELS["logisticregression"]
    )
    found = quick(model=fastdl.DNN, epochs=1, dropout=0.2, model_options={"net_l2": 1e-4}).fit(LOG)
    assert (found.model_.dropout, found.model_.net_l2) == (0.2, 1e-4)
    assert type(quick(optimizer="ftrl", epochs=1).fit(LOG).model_) is fastdl.DeepFM


@pytest.mark.parametrize(
    ("given", "message"),
    [({"model": "deepfn"}, "model is 'deepfn'; expected one of dcn"),
     ({"model": 3}, "model is 3; expected a name"), ({"optimizer": "adm"}, "optimizer is 'adm'"),
     ({"hidden": 8}, "hidden is 8"), ({"epochs": 0}, "epochs is 0"), ({"lr": -1}, "lr is -1"),
     ({"columns": {"I9": "date"}}, "no column I9"), ({"columns": 3}, "columns is 3"),
     ({"numbers": "odd"}, "numbers is 'odd'"), ({"calibrate": "plat"}, "'plat'; expected"),
     ({"validation_fraction": 1}, "validation_fraction is 1"), ({"buckets": 0}, "buckets is 0"),
     ({"model_options": {"odd": 1}}, "has no .'odd'."), ({"random_state": "a"}, "random_state is"),
     ({"patience": 0}, "patience is 0"), ({"batch_size": 2.5}, "batch_size is 2.5")],
)  # fmt: skip
def test_parameters_are_checked_by_fit(given, message):
    with pytest.raises((ValueError, TypeError), match=message):
        quick(**given).fit(LOG)


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [(LOG, None, {"label": "odd"}, "no column odd; it has label"),
     (LOG, CLICKS, {"label": "label"}, "give one"),
     (LOG.drop_columns(["label"]), None, {}, "requires y to be passed"),
     ([[1], [2]], [0, 1, 1], {}, "inconsistent numbers of samples: X has 2, y has 3"),
     ([[1], [2], [3]], ["a", "b", "c"], {}, "Only binary classification is supported"),
     ([[1], [2]], [None, "a"], {}, "y contains NaN or None"),
     ([[1], [2]], [0.5, 1], {}, "continuous"), ([[1], [2]], [1, 1], {}, "only one class, 1"),
     (np.array([["a"], [1.5]], object), [0, 1], {}, "Column 0 of X holds text, and 1.5"),
     ([[1.0], [np.inf]], [0, 1], {}, "infinity in row 1"), ([1.0, 2.0], [0, 1], {}, "1D array"),
     (np.ones((2, 2, 2)), [0, 1], {}, "2 dimensions"), ([[1], [1]], [0, 1], {}, "it is constant"),
     (LOG["label"], [0, 1], {}, "1D array"), ([[1], [2]], [[0, 1], [1, 0]], {}, "1d array"),
     ("absent.csv", None, {}, "no file absent.csv"), ("absent.csv", [0, 1], {}, "give one"),
     ("a.csv", None, {"sample_weight": [1, 2]}, "sample_weight was given with a file"),
     ([[1], [2]], [0, 1], {"sample_weight": [0, 0]}, "sample_weight is zero"),
     ([[1], [2]], [0, 1], {"sample_weight": [1, -1]}, "not negative")],
)  # fmt: skip
def test_data_is_checked_by_fit(x, y, options, message):
    with pytest.raises((ValueError, TypeError, FileNotFoundError), match=message):
        quick().fit(x, y, **options)


def test_columns_at_prediction(fitted):
    names = LOG.column_names[1:]
    features = LOG.select(names)
    with pytest.raises(ValueError, match="Feature names must be in the same order"):
        fitted.predict(features.select(names[::-1]))
    with pytest.raises(ValueError, match="yet now missing:\n- I2\n"):
        fitted.predict(features.drop_columns(["I2"]))
    expected = fitted.predict_proba(features)
    by_name = {name: TEXT[name].to_numpy() for name in ("label", *names[::-1])}
    assert fitted.predict_proba(by_name).tobytes() == expected.tobytes()
    rows = np.array([list(row.values()) for row in TEXT.select(names)[:5].to_pylist()], object)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        assert fitted.predict_proba(rows).tobytes() == expected[:5].tobytes()
    with pytest.raises(ValueError, match="X has 2 features, but CTRClassifier is expecting 7"):
        fitted.predict(rows[:, :2])
    with pytest.raises(ValueError, match="Column I1 must be numeric"):
        fitted.predict(features.set_column(0, "I1", features["C1"]))


def test_without_scikit_learn_nothing_of_it_is_loaded():
    code = (
        "import sys, fastdl, numpy as np; c = fastdl.CTRClassifier(epochs=3)\n"
        "assert not {'sklearn', 'pyarrow', 'fastdl.data'} & set(sys.modules)\n"
        "try: c.predict([[1]])\n"
        "except ValueError as error: assert isinstance(error, AttributeError), error\n"
        "else: raise SystemExit('no error')\n"
        "assert repr(c) == 'CTRClassifier(epochs=3)', c\n"
        "assert c.set_params(epochs=4).get_params()['epochs'] == 4\n"
        "assert 'sklearn' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_inside_scikit_learn():
    base = pytest.importorskip("sklearn.base")
    from sklearn import config_context
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.exceptions import NotFittedError
    from sklearn.model_selection import GridSearchCV, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, t = numbers()
    assert base.is_classifier(quick())
    with pytest.raises(NotFittedError):
        quick().predict(x)
    with pytest.raises(ValueError, match="Invalid parameter 'odd' for estimator CTRClassifier"):
        quick().set_params(odd=1)
    pipeline = make_pipeline(StandardScaler(), quick(epochs=8)).fit(x, t)
    assert pipeline.score(x, t) > 0.9
    search = GridSearchCV(pipeline, {"ctrclassifier__epochs": [1, 8]}, cv=2, scoring="roc_auc")
    assert search.fit(x, t).best_score_ > 0.9
    p = cross_val_predict(quick(epochs=8), x, t, cv=2, method="predict_proba")
    assert fastdl.metrics.roc_auc(t, p[:, 1]) > 0.9
    calibrated = CalibratedClassifierCV(quick(epochs=8), cv=2).fit(x, t, sample_weight=np.ones(200))
    assert calibrated.score(x, t) > 0.9
    with config_context(enable_metadata_routing=True):
        asks = base.clone(quick(epochs=1).set_fit_request(sample_weight=True))
        routed = make_pipeline(asks).fit(x, t, sample_weight=np.where(t == 1, 1e3, 1.0))
        assert routed.predict(x).mean() > 0.9
        assert routed.score(x, t) < 0.6


@real
@pytest.mark.parametrize(
    ("name", "options", "least"),
    [("criteo_head_train.tsv", {"format": "criteo"}, 0.67),
     ("avazu_head.csv", {"format": "avazu"}, 0.67),
     ("adult.parquet", {"label": "income", "positive": ">50K"}, 0.91)],
)  # fmt: skip
def test_real_logs_with_the_defaults(tmp_path, name, options, least):
    log = read_log(CTR / name, **options)
    chosen = np.random.default_rng(0).random(len(log)) < 0.8
    for part, rows in (("train", chosen), ("test", ~chosen)):
        parquet.write_table(log.filter(pa.array(rows)), tmp_path / f"{part}.parquet")
    found = CTRClassifier(random_state=0).fit(tmp_path / "train.parquet")
    p = found.predict_proba(tmp_path / "test.parquet")[:, 1]
    metrics = fastdl.metrics.evaluate(log.filter(pa.array(~chosen))["label"].to_numpy(), p)
    assert metrics["auc"] > least
    assert 0.85 < metrics["calibration"] < 1.15


def test_large_files_are_streamed(tmp_path, monkeypatch):
    write_ad_log(tmp_path / "log.parquet", 6000, seed=4, cardinality=500)
    options = {"epochs": 2, "hidden": (8,), "embedding_dim": 4, "random_state": 0}
    small = CTRClassifier(**options).fit(tmp_path / "log.parquet")
    monkeypatch.setattr("fastdl.estimators.streaming.LEAST_ROWS", 5000)
    monkeypatch.setattr(
        "fastdl.estimators.samples._read", lambda *_: pytest.fail("the file was read at once")
    )
    path = tmp_path / "log.parquet"
    large, again = (CTRClassifier(**options, calibrate="platt").fit(path) for _ in range(2))
    p = large.predict_proba(path)
    assert p.shape == (6000, 2) and (p == again.predict_proba(path)).all()
    assert large.feature_names_in_.tolist() == small.feature_names_in_.tolist()
    assert len(large.model_.calibrators) == 1
    assert abs(large.score(path) - small.score(path)) < 0.03
    assert len(large.history_["val_auc"]) == 2
    before = large.history_["val_loss"][-1]
    large.set_params(warm_start=True, epochs=1).fit(path, eval_set=path)
    assert large.history_["val_loss"][-1] < before + 0.05
