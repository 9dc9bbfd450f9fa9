"""Training steps of the MLPs against PyTorch, the course's code and the NumPy twin."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np
from common import alternate, main, original, peak, row, threads, torch_or_none

import fastdl

SMALL = (39, (64, 32), 32)
MIDDLE = (39, (400, 400, 400), 256)
LARGE = (624, (400, 400, 400), 4096)
TARGETS = {  # DESIGN.md: against PyTorch; against the course's code or the twin
    "step small": "9x; 7x", "trainer small": "15x; 10x", "step middle": "2.1x; 6x",
    "step large": "1.9x; 6x",
}  # fmt: skip


def data(rows: int, inputs: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, inputs)).astype(np.float32)
    return x, np.eye(2, dtype=np.float32)[(x[:, 0] + x[:, 1] > 0).astype(int)]


def our_network(inputs: int, hidden: tuple[int, ...]) -> fastdl.CTRPredictionNetwork:
    return fastdl.CTRPredictionNetwork(inputs, list(hidden), rng=np.random.default_rng(0))


def our_step(inputs: int, hidden: tuple[int, ...], x: np.ndarray, t: np.ndarray) -> Any:
    network, optimizer = our_network(inputs, hidden), fastdl.Adam()

    def step() -> None:
        optimizer.update(network.parameters(), network.gradient(x, t))

    return step, lambda: [network.layers[i].W for i in range(0, len(network.layers), 2)]


def twin_step(*arguments: Any) -> Any:
    step, weights = our_step(*arguments)

    def on_twins() -> None:
        with fastdl.use_backend("numpy"):
            step()

    return on_twins, weights


def course_step(
    inputs: int, hidden: tuple[int, ...], x: np.ndarray, t: np.ndarray, dtype: type
) -> Any:
    course, network = original(), our_network(inputs, hidden)
    theirs, optimizer = course.CTRPredictionNetwork(inputs, list(hidden)), course.Adam()
    dense = [layer for layer in theirs.layers if hasattr(layer, "W")]
    for layer, mine in zip(dense, network.layers[::2], strict=True):
        layer.W, layer.b = mine.W.astype(dtype), mine.b.astype(dtype)
    x, t = x.astype(dtype), t.astype(dtype)

    def step() -> None:
        grads = theirs.gradient(x, t)
        params = {}
        for i, layer in enumerate(theirs.layers):
            if hasattr(layer, "W"):
                params[f"W{i}"], params[f"b{i}"] = layer.W, layer.b
        optimizer.update(params, grads)

    return step, lambda: [layer.W for layer in dense]


def torch_model(torch: Any, inputs: int, hidden: tuple[int, ...]) -> Any:
    layers: list[Any] = []
    for mine in our_network(inputs, hidden).layers[::2]:
        linear = torch.nn.Linear(mine.input_dim, mine.output_dim)
        linear.weight.data = torch.tensor(mine.W.T.copy())
        linear.bias.data = torch.zeros(mine.output_dim)
        layers += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def torch_step(inputs: int, hidden: tuple[int, ...], x: np.ndarray, t: np.ndarray, how: str) -> Any:
    torch = torch_or_none()
    model = torch_model(torch, inputs, hidden)
    options = {"fused": True} if how != "eager" else {"foreach": True}
    optimizer = torch.optim.Adam(model.parameters(), **options)
    xt, tt = torch.tensor(x), torch.tensor(t.argmax(axis=1))
    loss_of = torch.nn.functional.cross_entropy
    forward = torch.compile(lambda a, b: loss_of(model(a), b)) if how == "compile" else None

    def step() -> None:
        optimizer.zero_grad()
        loss = forward(xt, tt) if forward else loss_of(model(xt), tt)
        loss.backward()
        optimizer.step()

    return step, lambda: [m.weight.detach().numpy().T for m in model[::2]]


def sides_of(network: tuple[Any, ...], quick: bool) -> dict[str, Callable[[], None]]:
    """The sides of a step, after their weights were equal after three of them."""
    inputs, hidden, batch = network
    arguments = (inputs, hidden, *data(batch, inputs))
    made = {"fastdl": our_step(*arguments), "NumPy twin": twin_step(*arguments)}
    if original() is not None:
        made["course float32"] = course_step(*arguments, np.float32)
        made["course float64"] = course_step(*arguments, np.float64)
    if torch_or_none() is not None:
        for how in ("eager", "fused") if quick else ("eager", "fused", "compile"):
            try:
                made[f"PyTorch {how}"] = torch_step(*arguments, how)
                made[f"PyTorch {how}"][0]()  # torch.compile needs a C++ compiler
                made[f"PyTorch {how}"] = torch_step(*arguments, how)
            except Exception as error:
                made.pop(f"PyTorch {how}", None)
                print(f"PyTorch {how} does not run here: {type(error).__name__}")
    for step, _ in made.values():
        for _ in range(3):
            step()
    expected = made["fastdl"][1]()
    for name, (_, weights) in made.items():
        for mine, theirs in zip(expected, weights(), strict=True):
            np.testing.assert_allclose(theirs, mine, rtol=2e-2, atol=2e-4, err_msg=name)
    return {name: step for name, (step, _) in made.items()}


def best(times: dict[str, Any], words: tuple[str, ...], name: str) -> dict[str, Any]:
    """The fastest of the sides whose names begin with one of the words, under one name."""
    found = [v for k, v in times.items() if k.startswith(words)]
    return {name: min(found)} if found else {}


def summary(times: dict[str, Any]) -> dict[str, Any]:
    return {
        "fastdl": times["fastdl"], **best(times, ("PyTorch",), "PyTorch"),
        **best(times, ("course", "NumPy"), "NumPy"),
    }  # fmt: skip


def step_rows(quick: bool) -> list[dict[str, Any]]:
    rows = []
    kinds = [("step small", SMALL), ("step middle", MIDDLE), ("step large", LARGE)]
    for kind, network in kinds[:1] if quick else kinds:
        inputs, hidden, batch = network
        dims = [inputs, *hidden, 2]
        products = sum(a * b for a, b in zip(dims[:-1], dims[1:], strict=True))
        work = 2 * batch * (3 * products - dims[0] * dims[1])
        for n in (1, 2):
            with threads(n):
                times = alternate(sides_of(network, quick), 3 if quick else 11)
                share = work / times["fastdl"][0] / 1e9 / peak(n)
            name = f"{'-'.join(map(str, dims))}, batch {batch}, gradient + update, {n} thread(s)"
            rows.append(row(name, summary(times), target=TARGETS[kind], share=share, all=times))
    return rows


def trainer_row(quick: bool) -> dict[str, Any]:
    """An epoch of the Trainer: shuffle, steps, the loss after each, validation."""
    inputs, hidden, batch = SMALL
    x, t = data(32 * 500, inputs)
    trainer = fastdl.Trainer(our_network(inputs, hidden), fastdl.Adam())

    def ours() -> None:
        trainer.train(x, t, x[:32], t[:32], 1, batch, verbose=False)

    made: dict[str, Callable[[], None]] = {"fastdl": ours}
    course = original()
    if course is not None:
        made["course"] = course_trainer(course, inputs, hidden, x, t, batch)
    torch = torch_or_none()
    if torch is not None:
        made["PyTorch"] = torch_trainer(torch, inputs, hidden, x, t, batch)
    with threads(1):
        times = alternate(made, 3 if quick else 9)
    per_step = {k: (v[0] / (len(x) // batch), v[1]) for k, v in times.items()}
    per_step = {"NumPy" if k == "course" else k: v for k, v in per_step.items()}
    name = "39-64-32-2, batch 32, a step through the Trainer, loss after the update, 1 thread"
    return row(name, per_step, target=TARGETS["trainer small"])


def course_trainer(
    course: Any, inputs: int, hidden: tuple[int, ...], x: np.ndarray, t: np.ndarray, batch: int
) -> Callable[[], None]:
    trainer = course.Trainer(course.CTRPredictionNetwork(inputs, list(hidden)), course.Adam())

    def epoch() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            trainer.train(x, t, x[:32], t[:32], 1, batch)

    return epoch


def torch_trainer(
    torch: Any, inputs: int, hidden: tuple[int, ...], x: np.ndarray, t: np.ndarray, batch: int
) -> Callable[[], None]:
    model = torch_model(torch, inputs, hidden)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    xt, tt = torch.tensor(x), torch.tensor(t.argmax(axis=1))
    loss_of = torch.nn.functional.cross_entropy

    def epoch() -> None:
        order, total = torch.randperm(len(xt)), 0.0
        for i in range(len(xt) // batch):
            rows = order[i * batch : (i + 1) * batch]
            xb, tb = xt[rows], tt[rows]
            optimizer.zero_grad()
            loss_of(model(xb), tb).backward()
            optimizer.step()
            with torch.no_grad():
                total += loss_of(model(xb), tb).item()

    return epoch


def suite(quick: bool) -> list[dict[str, Any]]:
    return [*step_rows(quick), trainer_row(quick)]


if __name__ == "__main__":
    main(suite, "Training steps (a ratio above 1: fastdl is faster)")
