"""The course's own classes beside ours: same seed, float64, equal to 1e-9."""

from __future__ import annotations

import numpy as np
import pytest

import fastdl

LIMITS = {"rtol": 1e-9, "atol": 1e-12}


@pytest.fixture(autouse=True)
def double():
    fastdl.set_default_dtype("float64")
    yield
    fastdl.set_default_dtype("float32")


def data(rows=150, inputs=7):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((rows, inputs))
    return x, np.eye(2)[(x[:, 0] + x[:, 1] > 0).astype(int)]


def both(original, name, *arguments):
    """The course's object and ours, made from the same seed."""
    made = []
    for module in (original, fastdl):
        np.random.seed(3)
        made.append(getattr(module, name)(*arguments))
    return made


def test_dense(original):
    theirs, ours = both(original, "Dense", 7, 4)
    x, dout = data()[0], np.random.randn(150, 4)
    assert ours.b.shape == (1, 4)
    for name in ("W", "b"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), **LIMITS)
    np.testing.assert_allclose(ours.forward(x), theirs.forward(x), **LIMITS)
    np.testing.assert_allclose(ours.backward(dout), theirs.backward(dout), **LIMITS)
    for name in ("x", "dW", "db"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), **LIMITS)


def test_relu(original):
    theirs, ours = both(original, "ReLU")
    x, dout = np.random.randn(5, 3), np.random.randn(5, 3)
    x[0] = 0
    np.testing.assert_array_equal(ours.forward(x), theirs.forward(x))
    np.testing.assert_array_equal(ours.mask, theirs.mask)
    np.testing.assert_array_equal(ours.backward(dout), theirs.backward(dout.copy()))


def test_softmax(original):
    theirs, ours = both(original, "Softmax")
    x, t = 3 * np.random.randn(6, 2), np.eye(2)[np.random.randint(0, 2, 6)]
    np.testing.assert_allclose(ours.forward(x, t), theirs.forward(x, t), **LIMITS)
    np.testing.assert_allclose(ours.y, theirs.y, **LIMITS)
    np.testing.assert_allclose(ours.backward(), theirs.backward(), **LIMITS)


def test_dropout(original):
    theirs, ours = both(original, "Dropout", 0.3)
    x = np.random.randn(50, 4)
    for layer in (theirs, ours):
        np.random.seed(8)
        layer.out = layer.forward(x)
    np.testing.assert_allclose(ours.out, theirs.out, **LIMITS)
    np.testing.assert_array_equal(ours.mask, theirs.mask)
    np.testing.assert_allclose(ours.backward(x), theirs.backward(x), **LIMITS)


def test_batch_normalization(original):
    theirs, ours = both(original, "BatchNormalization")
    theirs.training = True  # the course's code reads this flag and never sets it
    for _ in range(3):
        x = 2 + np.random.randn(40, 5)
        np.testing.assert_allclose(ours.forward(x), theirs.forward(x), **LIMITS)
        for name in ("gamma", "beta", "running_mean", "running_var", "x_normalized"):
            np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), **LIMITS)
    theirs.training = ours.training = False
    np.testing.assert_allclose(ours.forward(x), theirs.forward(x), **LIMITS)


def test_network(original):
    theirs, ours = both(original, "CTRPredictionNetwork", 7, [16, 8])
    x, t = data()
    assert [type(a).__name__ for a in ours.layers] == [type(a).__name__ for a in theirs.layers]
    np.testing.assert_allclose(ours.predict(x), theirs.predict(x), **LIMITS)
    np.testing.assert_allclose(ours.loss(x, t), theirs.loss(x, t), **LIMITS)
    assert ours.accuracy(x, t) == theirs.accuracy(x, t)
    mine, expected = ours.gradient(x, t), theirs.gradient(x, t)
    assert list(mine) == list(expected)
    for key in mine:
        np.testing.assert_allclose(mine[key], expected[key], **LIMITS)
    for a, b in zip(ours.layers, theirs.layers, strict=True):
        if hasattr(b, "dW"):
            np.testing.assert_allclose(a.dW, b.dW, **LIMITS)
            np.testing.assert_allclose(a.db, b.db, **LIMITS)


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_optimizers_on_plain_dicts(original, name):
    theirs, ours = both(original, name, 0.05)
    params = [{"W": np.arange(6.0).reshape(2, 3), "b": np.ones(3)} for _ in range(2)]
    for _ in range(4):
        grads = {"W": np.random.randn(2, 3), "b": np.random.randn(3)}
        theirs.update(params[0], grads)
        ours.update(params[1], grads)
    for key in ("W", "b"):
        np.testing.assert_allclose(params[1][key], params[0][key], **LIMITS)
    if name == "Adam":
        assert ours.t == theirs.t
        np.testing.assert_allclose(ours.m["W"], theirs.m["W"], **LIMITS)
        np.testing.assert_allclose(ours.v["W"], theirs.v["W"], **LIMITS)


def train(trainer_of, network, optimizer):
    x, t = data(203)
    np.random.seed(5)
    trainer = trainer_of.Trainer(network, optimizer)
    trainer.train(x[:150], t[:150], x[150:], t[150:], epochs=3, batch_size=32)
    return trainer


def weights(network):
    return [layer.W for layer in network.layers if hasattr(layer, "W")]


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_three_epochs_of_the_trainer(original, name, capsys):
    theirs, ours = both(original, "CTRPredictionNetwork", 7, [16, 8])
    train(original, theirs, getattr(original, name)())
    expected = capsys.readouterr().out
    trainer = train(fastdl, ours, getattr(fastdl, name)())
    assert capsys.readouterr().out == expected
    assert expected.count("\n") == 3
    for a, b in zip(weights(ours), weights(theirs), strict=True):
        np.testing.assert_allclose(a, b, **LIMITS)
    assert len(trainer.loss_history) == 3 * 4


def test_the_courses_parts_and_ours_mix(original, capsys, monkeypatch):
    """Their optimizer, layers, network and Trainer with ours, in every direction."""
    plain, _ = both(original, "CTRPredictionNetwork", 7, [16, 8])
    train(original, plain, original.Adam())
    lines = capsys.readouterr().out

    _, ours = both(original, "CTRPredictionNetwork", 7, [16, 8])
    train(fastdl, ours, original.Adam())
    assert capsys.readouterr().out == lines
    _, ours_too = both(original, "CTRPredictionNetwork", 7, [16, 8])
    with monkeypatch.context() as import_changed:  # the course's Trainer asks isinstance(., Dense)
        import_changed.setitem(original.Trainer.train.__globals__, "Dense", fastdl.Dense)
        train(original, ours_too, fastdl.Adam())
    assert capsys.readouterr().out == lines
    theirs, _ = both(original, "CTRPredictionNetwork", 7, [16, 8])
    train(fastdl, theirs, fastdl.Adam())
    assert capsys.readouterr().out == lines
    for network in (ours, ours_too, theirs):
        for a, b in zip(weights(network), weights(plain), strict=True):
            np.testing.assert_allclose(a, b, **LIMITS)


def test_our_layers_inside_the_courses_network(original):
    theirs, _ = both(original, "CTRPredictionNetwork", 7, [16, 8])
    x, t = data()
    expected = theirs.gradient(x, t)
    theirs.layers[1], theirs.layers[3] = fastdl.ReLU(), fastdl.ReLU()
    theirs.loss_layer = fastdl.Softmax()
    mixed = theirs.gradient(x, t)
    for key in expected:
        np.testing.assert_allclose(mixed[key], expected[key], **LIMITS)


def test_a_users_layer_inside_our_network():
    class Halve(fastdl.Layer):
        def forward(self, x):
            return x / 2

        def backward(self, dout):
            return dout / 2

    x, t = data()
    network = fastdl.Sequential(fastdl.Dense(7, 4), Halve(), fastdl.Dense(4, 2))
    reference = fastdl.Sequential(fastdl.Dense(7, 4), fastdl.Dense(4, 2))
    reference.layers[0].W, reference.layers[0].b = network.layers[0].W / 2, network.layers[0].b / 2
    reference.layers[1].W = network.layers[2].W
    mine, expected = network.gradient(x, t), reference.gradient(x, t)
    np.testing.assert_allclose(mine["W0"], expected["W0"] / 2, **LIMITS)
    np.testing.assert_allclose(mine["W2"], expected["W1"], **LIMITS)
    fastdl.Trainer(network, fastdl.SGD(0.1)).train(x, t, x, t, epochs=5, verbose=False)
    assert network.loss(x, t) < reference.loss(x, t)


def test_assigning_weights_writes_through():
    network = fastdl.CTRPredictionNetwork(3, [4])
    flat = network.store().flat
    array = np.arange(12.0).reshape(3, 4)
    network.layers[0].W = array
    array[0, 0] = 99
    assert flat[:3].tolist() == [0, 1, 2]
    assert network.parameters()["W0"] is network.layers[0].W
    with pytest.raises(ValueError, match=r"\(3, 4\)"):
        network.layers[0].W = np.ones((2, 2))
    with pytest.raises(TypeError, match="object"):
        network.layers[0].W = np.full((3, 4), None)


# --------------------------------------------- the original's defects, mended one by one
def test_batchnorm_has_a_training_flag_and_a_backward():
    layer = fastdl.BatchNormalization()
    layer.forward(np.random.randn(4, 2))
    assert layer.training
    assert layer.backward(np.random.randn(4, 2)).shape == (4, 2)


def test_dropout_backward_works_after_an_evaluation():
    layer = fastdl.Dropout()
    layer.training = False
    x = np.random.randn(4, 2)
    np.testing.assert_array_equal(layer.forward(x), x)
    np.testing.assert_array_equal(layer.backward(x), x)


def test_relu_backward_leaves_the_callers_gradient():
    layer, dout = fastdl.ReLU(), np.ones((2, 2))
    layer.forward(np.array([[-1.0, 1.0], [1.0, -1.0]]))
    layer.backward(dout)
    np.testing.assert_array_equal(dout, 1)


def test_softmax_backward_uses_dout():
    layer = fastdl.Softmax()
    layer.forward(np.random.randn(3, 2), np.eye(2)[[0, 1, 1]])
    np.testing.assert_allclose(layer.backward(2.5), 2.5 * layer.backward(), rtol=1e-12)


def test_softmax_takes_one_dimension():
    layer = fastdl.Softmax()
    loss = layer.forward(np.array([0.0, np.log(3)]), np.array([0.0, 1.0]))
    np.testing.assert_allclose(loss, -np.log(0.75 + 1e-7))
    np.testing.assert_allclose(layer.backward(), [0.25, -0.25])


def test_trainer_fills_loss_history():
    x, t = data()
    trainer = fastdl.Trainer(fastdl.CTRPredictionNetwork(7, [4]), fastdl.SGD(0.1))
    trainer.train(x, t, x, t, epochs=2, batch_size=50, verbose=False)
    assert len(trainer.loss_history) == 6
    assert all(isinstance(loss, float) for loss in trainer.loss_history)
    assert trainer.loss_history[-1] < trainer.loss_history[0]


def test_trainer_trains_on_data_smaller_than_a_batch():
    x, t = data(10)
    trainer = fastdl.Trainer(fastdl.CTRPredictionNetwork(7, [4]), fastdl.SGD(0.1))
    trainer.train(x, t, x, t, epochs=3, batch_size=32, verbose=False)
    assert len(trainer.loss_history) == 3
    assert trainer.loss_history[-1] < trainer.loss_history[0]


def test_trainer_evaluates_without_dropout():
    x, t = data()
    network = fastdl.Sequential(fastdl.Dense(7, 8), fastdl.Dropout(0.9), fastdl.Dense(8, 2))
    trainer = fastdl.Trainer(network, fastdl.SGD(1e-9))
    trainer.train(x, t, x, t, epochs=2, verbose=False)
    network.eval()
    np.testing.assert_allclose(trainer.history["val_loss"], network.loss(x, t), rtol=1e-6)
    network.train()
    assert all(layer.training for layer in network.layers)
