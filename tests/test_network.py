"""Networks: the fused step against layer by layer, ownership, layouts, saving."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import tolerance

import fastdl

ACTIVATIONS = [fastdl.ReLU, fastdl.LeakyReLU, fastdl.Sigmoid, fastdl.Tanh, fastdl.GELU]


def make(activation=fastdl.ReLU, loss=fastdl.Softmax, dtype="float64", dims=(5, 17, 130, 2)):
    layers = []
    for inputs, outputs in zip(dims[:-1], dims[1:], strict=True):
        layers += [fastdl.Dense(inputs, outputs, dtype=dtype), activation()]
    return fastdl.Sequential(*layers[:-1], loss=loss)


def batch(rows, dtype="float64", inputs=5):
    rng = np.random.default_rng(rows)
    x = rng.standard_normal((rows, inputs)).astype(dtype)
    return x, np.eye(2, dtype=dtype)[rng.integers(0, 2, rows)]


def layer_by_layer(network, x, t):
    """The gradient through the layers' own methods."""
    network.loss(x, t)
    dout = network.loss_layer.backward()
    for layer in reversed(network.layers):
        dout = layer.backward(dout)
    return {slot.key: getattr(slot.layer, "d" + slot.name) for slot in network.store().slots}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(
    "loss", [fastdl.Softmax, fastdl.SoftmaxCrossEntropy, fastdl.SigmoidCrossEntropy,
             fastdl.MeanSquaredError, fastdl.MeanAbsoluteError, fastdl.Huber],
)  # fmt: skip
def test_fused_gradient_has_the_bits_of_layer_by_layer(activation, loss, dtype):
    network, (x, t) = make(activation, loss, dtype), batch(300, dtype)
    assert network.plan() is not None
    fused = {k: v.copy() for k, v in network.gradient(x, t).items()}
    for key, value in layer_by_layer(network, x, t).items():
        assert value.tobytes() == fused[key].tobytes(), key


@pytest.mark.parametrize("rows", [1, 32, 128, 129, 2048, 2049, 4100])
def test_fused_gradient_at_every_size_and_thread_count(rows, dtype, two_thread_counts):
    network, (x, t) = make(dtype=dtype), batch(rows, dtype)
    one, two = two_thread_counts(lambda: network.gradient(x, t).flat.tobytes())
    assert one == two
    plain = layer_by_layer(network, x, t)
    for key, value in network.gradient(x, t).items():
        assert value.tobytes() == plain[key].tobytes(), key


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_numpy_backend_gives_the_same(activation, dtype):
    network, (x, t) = make(activation, dtype=dtype), batch(200, dtype)
    compiled = network.gradient(x, t)
    with fastdl.use_backend("numpy"):
        for key, value in network.gradient(x, t).items():
            np.testing.assert_allclose(compiled[key], value, **tolerance(dtype))


def test_a_second_activation_or_a_foreign_layer_is_not_fused():
    class Mine(fastdl.ReLU):
        pass

    for extra in (fastdl.Tanh(), Mine(), fastdl.Dropout()):
        layers = [fastdl.Dense(5, 4), fastdl.ReLU(), extra, fastdl.Dense(4, 2)]
        network = fastdl.Sequential(*layers)
        assert network.plan() is None
        x, t = batch(20, "float32")
        assert np.isfinite(network.gradient(x, t)["W0"]).all()


def test_gradient_sets_the_layers_own_attributes():
    network, (x, t) = make(), batch(10)
    grads = network.gradient(x, t)
    np.testing.assert_array_equal(network.layers[2].dW, grads["W2"])
    assert network.latest_loss == pytest.approx(network.loss(x, t), rel=1e-12)
    network.gradient(x, t)
    with pytest.raises(ValueError, match="before forward"):
        network.layers[0].backward(np.ones((10, 17)))


def test_sample_weights_count_as_copies():
    network, (x, t) = make(), batch(10)
    weight = np.arange(10)
    repeated = np.repeat(np.arange(10), weight)
    mine = network.gradient(x, t, weight)
    for key, value in network.gradient(x[repeated], t[repeated]).items():
        np.testing.assert_allclose(mine[key], value, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(
        network.loss(x, t, weight), network.loss(x[repeated], t[repeated]), rtol=1e-12
    )


def test_what_is_handed_out_does_not_change_later():
    network, (x, t) = make(), batch(40)
    grads, out = network.gradient(x, t), network.predict(x)
    kept = {k: v.copy() for k, v in grads.items()}, out.copy()
    optimizer = fastdl.Adam(0.1)
    optimizer.update(network.parameters(), network.gradient(x, t))
    network.gradient(x * 2, t)
    network.predict(x * 3)
    np.testing.assert_array_equal(out, kept[1])
    for key, value in grads.items():
        np.testing.assert_array_equal(value, kept[0][key])


layouts = st.sampled_from(["C", "F", "strided", "reversed", "read-only", "list", "other dtype"])


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 50), layouts, layouts)
def test_any_layout_gives_the_same_and_is_left_alone(rows, layout_x, layout_t):
    network, (x, t) = make(), batch(rows)
    expected = network.gradient(x, t)["W0"]

    def laid(array, layout):
        if layout == "F":
            return np.asfortranarray(array)
        if layout == "strided":
            wide = np.zeros((len(array), 2 * array.shape[1]))
            wide[:, ::2] = array
            return wide[:, ::2]
        if layout == "reversed":
            return array[::-1].copy()[::-1]
        if layout == "read-only":
            array = array.copy()
            array.flags.writeable = False
        return array.tolist() if layout == "list" else array

    given_x, given_t = laid(x, layout_x), laid(t, layout_t)
    if layout_t == "other dtype":
        given_t = t.astype(np.int64)
    before = np.array(given_x)
    for _ in range(2):
        np.testing.assert_array_equal(network.gradient(given_x, given_t)["W0"], expected)
    np.testing.assert_array_equal(network.predict(given_x), network.predict(x))
    np.testing.assert_array_equal(np.array(given_x), before)


def test_layers_may_be_exchanged_at_any_time():
    network, (x, t) = make(), batch(20)
    network.gradient(x, t)
    network.layers[-1] = fastdl.Dense(130, 2, dtype="float64")
    network.layers.insert(1, fastdl.Dense(17, 17, dtype="float64"))
    grads = network.gradient(x, t)
    assert sorted(grads) == ["W0", "W1", "W3", "W5", "b0", "b1", "b3", "b5"]
    fastdl.Adam(0.1).update(network.parameters(), grads)
    assert np.shares_memory(network.layers[1].W, network.store().flat)


def test_networks_that_share_layers_share_their_memory():
    first, second = make(dims=(5, 4, 3)), make(dims=(3, 4, 2))
    whole = fastdl.Sequential(*first.layers, *second.layers)
    x, t = batch(20)
    whole.gradient(x, t)
    assert np.shares_memory(first.store().flat, whole.store().flat)
    before = whole.predict(x)
    first.layers[0].W = first.layers[0].W * 2
    assert not np.allclose(whole.predict(x), before)
    assert whole.store().flat is whole.store().flat


def test_frozen_layers_keep_their_weights():
    network, (x, t) = make(), batch(50)
    network.layers[0].trainable = False
    before = network.layers[0].W.copy()
    fastdl.Trainer(network, fastdl.Adam()).train(x, t, x, t, epochs=2, verbose=False)
    assert "W0" not in network.parameters()
    np.testing.assert_array_equal(network.layers[0].W, before)


def test_several_threads_at_once():
    networks = [make() for _ in range(4)]
    x, t = batch(300)
    expected = [network.gradient(x, t)["W0"].copy() for network in networks]
    wrong = []

    def work(i):
        for _ in range(20):
            if not np.array_equal(networks[i].gradient(x, t)["W0"], expected[i]):
                wrong.append(i)
            if not np.array_equal(networks[0].gradient(x, t)["W0"], expected[0]):
                wrong.append(0)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


EVERY_LAYER = [
    fastdl.Dense, fastdl.ReLU, fastdl.LeakyReLU, fastdl.Sigmoid, fastdl.Tanh, fastdl.GELU,
    fastdl.Dropout, fastdl.BatchNormalization, fastdl.LayerNorm,
]  # fmt: skip


def test_save_and_load_keep_every_layer(tmp_path, dtype):
    made = [cls(6, 6, dtype=dtype) if cls is fastdl.Dense else cls() for cls in EVERY_LAYER]
    made[2].slope = 0.3
    for layer in made:
        if layer.parameter_names:
            layer.dtype = np.dtype(dtype)
    network = fastdl.Sequential(*made, fastdl.Dense(6, 2, dtype=dtype), loss=fastdl.Huber(0.3))
    x, t = batch(30, dtype, 6)
    fastdl.Trainer(network, fastdl.Adam()).train(x, t, epochs=2, verbose=False)
    network.layers[0].trainable = False
    np.random.seed(4)
    expected_next = np.random.RandomState(4).rand()
    network.save(tmp_path / "n.safetensors")
    again = fastdl.load(tmp_path / "n.safetensors")
    assert np.random.rand() == expected_next  # loading drew no random numbers
    assert [repr(a) for a in again.layers] == [repr(a) for a in network.layers]
    assert again.layers[0].trainable is False
    assert again.loss_layer.delta == 0.3
    np.testing.assert_array_equal(again.eval().predict(x), network.eval().predict(x))
    assert [p.name for p in tmp_path.iterdir()] == ["n.safetensors"]


def test_a_ctr_network_comes_back_as_one(tmp_path):
    network = fastdl.CTRPredictionNetwork(5, [4])
    network.save(tmp_path / "n")
    again = fastdl.load(tmp_path / "n")
    assert type(again) is fastdl.CTRPredictionNetwork
    x = batch(5)[0]
    np.testing.assert_array_equal(again.predict_proba(x), network.predict_proba(x))
    np.testing.assert_allclose(again.predict_proba(x).sum(axis=1), 1, rtol=1e-6)


def test_files_that_cannot_be_loaded(tmp_path):
    path = tmp_path / "n"
    with pytest.raises(FileNotFoundError, match="no file"):
        fastdl.load(path)
    make().save(path)
    whole = path.read_bytes()
    changed = {
        "damaged": whole[:-9],
        "checksum": whole[:-1] + bytes([whole[-1] ^ 1]),
        "not a safetensors": b"hello, this is not it" * 9,
        "newer": whole.replace(b'format_version\\": 1', b'format_version\\": 9'),
        "Conv9": whole.replace(b'class\\": \\"Dense', b'class\\": \\"Conv9'),
    }
    for message, content in changed.items():
        path.write_bytes(content)
        with pytest.raises(ValueError, match="Conv9|checksum" if message == "Conv9" else message):
            fastdl.load(path)


def test_summary_counts_parameters():
    text = fastdl.CTRPredictionNetwork(39, [64, 32]).summary()
    assert "4,706" in text
    assert "W0 (39, 64)" in text


def test_saved_networks_have_the_permissions_of_any_new_file(tmp_path):
    usual = tmp_path / "usual"
    usual.touch()
    fastdl.Sequential(fastdl.Dense(2, 1)).save(tmp_path / "net.safetensors")
    assert (tmp_path / "net.safetensors").stat().st_mode == usual.stat().st_mode
