"""CTR models through the Trainer: features as data, AUC, early stopping, the best weights."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import fastdl


def log(rows, seed=0, clicks=None):
    """Ids whose click probability is known, numbers that say nothing."""
    rng = np.random.default_rng(seed)
    ids = np.minimum(rng.zipf(1.3, (rows, 3)) - 1, [99, 999, 19])
    effect = np.random.default_rng(99).standard_normal(1000)
    p = 1 / (1 + np.exp(1 - effect[ids].sum(axis=1)))
    t = (rng.random(rows) < p).astype(float) if clicks is None else np.full(rows, clicks)
    return {"numeric": rng.standard_normal((rows, 2)), "ids": ids}, t, p


@pytest.fixture
def spec():
    return fastdl.FeatureSpec(numeric=2, fields=[100, 1000, 20])


def fit(model, **options):
    x, t, _ = log(4000)
    x_val, t_val, p_val = log(2000, 1)
    trainer = fastdl.Trainer(model, fastdl.Adam(0.01))
    options = {"epochs": 6, "batch_size": 100, "verbose": False, **options}
    trainer.train(x, t, x_val, t_val, rng=np.random.default_rng(0), **options)
    return trainer, x_val, t_val, p_val


def test_auc_of_the_history_is_scikit_learns(spec, capsys):
    model = fastdl.DeepFM(spec, 4, (16,), rng=np.random.default_rng(0))
    trainer, x, t, p = fit(model, verbose=True)
    auc = roc_auc_score(t, model.predict_proba(x)[:, 1].astype(float))
    assert abs(trainer.history["val_auc"][-1] - auc) < 1e-4  # float32 probabilities have ties
    assert auc > roc_auc_score(t, p) - 0.05
    assert f"Val AUC: {trainer.history['val_auc'][-1]:.4f}" in capsys.readouterr().out


def test_early_stopping_on_auc_puts_the_best_tables_back(spec):
    model = fastdl.DeepFM(spec, 8, (16,), rng=np.random.default_rng(0))
    stop = fastdl.EarlyStopping(monitor="val_auc", patience=2)
    trainer, x, t, _ = fit(model, epochs=60, callbacks=[stop])
    seen = trainer.history["val_auc"]
    assert len(seen) < 60
    assert int(np.argmax(seen)) == len(seen) - 3
    auc = roc_auc_score(t, model.predict(x).reshape(-1))
    assert abs(auc - max(seen)) < 1e-9


def test_validation_rows_of_one_class_are_said_and_do_not_stop_training(spec):
    model = fastdl.LogisticRegression(spec)
    x, t, _ = log(300)
    x_val, t_val, _ = log(50, 1, clicks=0.0)
    trainer = fastdl.Trainer(model, fastdl.Adam(0.01))
    stop = fastdl.EarlyStopping(monitor="val_auc")
    with pytest.warns(UserWarning, match="50 validation rows have the label 0"):
        trainer.train(x, t, x_val, t_val, 2, 100, verbose=False, callbacks=[stop])
    assert trainer.history["val_auc"] == [None, None]
    assert None not in trainer.history["val_loss"]


def test_a_batch_of_one_class_trains(spec):
    model = fastdl.DeepFM(spec, 4, (8,))
    x, t, _ = log(100, clicks=1.0)
    fastdl.Trainer(model, fastdl.Adam(0.01)).train(x, t, epochs=30, batch_size=50, verbose=False)
    assert model.predict_proba(x)[:, 1].min() > 0.5


def test_weights_count_rows_as_often_as_they_say(spec):
    x, t, _ = log(40)
    twice = {name: np.concatenate([a, a[:20]]) for name, a in x.items()}
    models = [fastdl.FactorizationMachine(spec, 4, dtype="float64", rng=np.random.default_rng(0))
              for _ in range(2)]  # fmt: skip
    one = models[0].gradient(x, t, np.where(np.arange(40) < 20, 2.0, 1.0))
    two = models[1].gradient(twice, np.concatenate([t, t[:20]]))
    for key in one:
        np.testing.assert_allclose(one[key], two[key], rtol=1e-10, atol=1e-15)


def test_a_bad_id_is_found_before_the_first_step(spec):
    model = fastdl.DeepFM(spec, 4, (8,))
    x, t, _ = log(70_000)
    x["ids"][69_999, 2] = 20
    before = model.layers[1].E.copy()
    with pytest.raises(ValueError, match="In row 69999 field 'f2' has the id 20; its table has 20"):
        fastdl.Trainer(model, fastdl.Adam(0.1)).train(x, t, epochs=1, verbose=False)
    assert np.array_equal(before, model.layers[1].E)


def test_a_checkpoint_of_another_spec_is_refused(spec, tmp_path):
    x, t, _ = log(200)
    callbacks = [fastdl.Checkpoint(tmp_path)]
    fastdl.Trainer(fastdl.DeepFM(spec, 4, (8,)), fastdl.Adam(0.1)).train(
        x, t, epochs=1, verbose=False, callbacks=callbacks
    )
    other = fastdl.FeatureSpec(numeric=2, fields=[100, 1001, 20])
    with pytest.raises(ValueError, match="cannot be resumed: its network"):
        fastdl.Trainer(fastdl.DeepFM(other, 4, (8,)), fastdl.Adam(0.1)).train(
            x, t, epochs=2, verbose=False, callbacks=callbacks, resume=tmp_path
        )


def test_weights_that_are_saved_in_between_do_not_change_exact_training(spec, tmp_path):
    x, t, _ = log(2000)
    models = [fastdl.DeepFM(spec, 4, (8,), embedding_l2=1e-4, dtype="float64",
                            rng=np.random.default_rng(0)) for _ in range(2)]  # fmt: skip
    for model, looks in zip(models, (False, True), strict=True):
        optimizer, batch = fastdl.Adam(0.01), model.prepared(x)
        for start in range(0, 2000, 50):
            own = slice(start, start + 50)
            optimizer.update(model.parameters(), model.gradient(batch[own], t[own]))
            if looks and start % 500 == 0:
                model.save(tmp_path / "model.safetensors")
    for one, two in zip(*(m.layers[1].parameters().values() for m in models), strict=True):
        assert one.tobytes() == two.tobytes()


def test_the_rate_falls_on_a_plateau_of_the_auc(spec):
    model = fastdl.LogisticRegression(spec)
    schedule = fastdl.schedules.ReduceOnPlateau(0.05, 0.1, 0, monitor="val_auc")
    x, t, _ = log(4000)
    trainer = fastdl.Trainer(model, fastdl.Adam(schedule))
    trainer.train(x, t, *log(1000, 1)[:2], 12, 100, verbose=False)
    rates, seen = trainer.history["lr"], trainer.history["val_auc"]
    best = -np.inf
    for epoch, auc in enumerate(seen[:-1]):
        fell = auc <= best * (1 + schedule.threshold)
        expected = rates[epoch] * (0.1 if fell else 1)
        assert abs(rates[epoch + 1] - expected) < 1e-12 or expected < 1e-7
        best = best if fell else auc
    assert rates[-1] < rates[0]


def test_watching_an_auc_that_a_run_does_not_have_is_an_error(spec):
    x, t, _ = log(100)
    plateau = fastdl.schedules.WarmUp(
        fastdl.schedules.ReduceOnPlateau(0.05, monitor="val_auc"), steps=3
    )
    stop = fastdl.EarlyStopping(monitor="val_auc")
    for schedule, callbacks in ((plateau, []), (0.05, [stop])):
        trainer = fastdl.Trainer(fastdl.LogisticRegression(spec), fastdl.Adam(schedule))
        with pytest.raises(ValueError, match="watches val_auc, which this run does not have"):
            trainer.train(x, t, epochs=1, verbose=False, callbacks=callbacks)
    numbers, classes = np.random.default_rng(0).standard_normal((40, 3)), np.eye(2)[[0, 1] * 20]
    trainer = fastdl.Trainer(fastdl.CTRPredictionNetwork(3, [4]), fastdl.Adam(0.01))
    with pytest.raises(ValueError, match="a network with one logit as its output"):
        trainer.train(numbers, classes, numbers, classes, 1, verbose=False, callbacks=[stop])


def test_weighted_validation_is_that_of_repeated_rows(spec):
    x, t, _ = log(300)
    x_val, t_val, _ = log(60, 1)
    twice = {name: np.concatenate([a, a[:20]]) for name, a in x_val.items()}
    figures = []
    for x_v, t_v, weight in (
        (x_val, t_val, np.where(np.arange(60) < 20, 2.0, 1.0)),
        (twice, np.concatenate([t_val, t_val[:20]]), None),
    ):
        model = fastdl.FactorizationMachine(spec, 4, rng=np.random.default_rng(0))
        trainer = fastdl.Trainer(model, fastdl.Adam(0.01))
        trainer.train(x, t, x_v, t_v, 2, 100, verbose=False, rng=np.random.default_rng(1),
                      val_sample_weight=weight)  # fmt: skip
        names = ("val_loss", "val_accuracy", "val_auc")
        figures.append([trainer.history[name] for name in names])
    np.testing.assert_allclose(figures[0], figures[1], rtol=1e-6)


class Halver(fastdl.Optimizer):
    """Puts new arrays into the dict, as the course's exercises may."""

    def update(self, params, grads):
        for key in params:
            params[key] = params[key] - 0.1 * np.asarray(grads[key])


@pytest.mark.parametrize("name", ["FinalMLP", "DLRM"])
def test_any_model_trains_with_an_optimizer_of_ones_own(name, spec):
    x, t, _ = log(200)
    model = getattr(fastdl, name)(spec, 4, (8, 8), dtype="float64", rng=np.random.default_rng(0))
    before = {k: v.copy() for k, v in model.parameters().items()}
    grads = model.gradient(x, t)
    expected = {k: before[k] - 0.1 * np.asarray(grads[k]) for k in before}
    fastdl.Trainer(model, Halver()).train(x, t, epochs=1, batch_size=200, verbose=False)
    for key, value in model.parameters().items():
        np.testing.assert_allclose(value, expected[key], rtol=1e-9, atol=1e-12)
