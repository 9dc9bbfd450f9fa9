"""PyTorch transcriptions of the CTR models, written from their papers' formulas.

Each takes its parameters from one of our models, in the order in which the layers run.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from fastdl import Dense, Embedding, LayerNorm
from fastdl.layers.attention import FieldAttention
from fastdl.layers.cin import CompressedInteraction
from fastdl.layers.cross import CrossMatrix, CrossVector
from fastdl.layers.fusion import BilinearFusion, Constant
from fastdl.layers.table import Linear, NumericEmbedding


class Transcription(torch.nn.Module):
    """``take(kind)``: the parameters of our next layer of that kind, as PyTorch's."""

    def __init__(self, model, sparse=False):
        super().__init__()
        self.sparse = sparse  # gradients of tables
        self.model, self.spec = model, model.spec
        self.names, self.values = [], torch.nn.ParameterList()
        self.of_layer = {}
        for i, layer in enumerate(model.layers):
            for name, array in layer.parameters().items():
                self.names.append(f"{name}{i}")
                self.values.append(torch.nn.Parameter(torch.tensor(array.copy())))
                self.of_layer.setdefault(i, {})[name] = self.values[-1]

    def forward(self, x):
        self.places = {}
        self.numeric = torch.tensor(x["numeric"]) if self.spec.numeric else None
        self.ids = torch.tensor(x["ids"]) + torch.tensor(self.spec.offsets[: len(self.spec.fields)])
        self.lists = []
        offsets = self.spec.offsets[len(self.spec.fields) :]
        for field, offset in zip(self.spec.sequences, offsets, strict=True):
            values, lengths = (torch.tensor(part) for part in x[field.name])
            self.lists.append((values + offset, torch.cumsum(lengths, 0) - lengths, field.pooling))
        return getattr(self, type(self.model).__name__)().reshape(-1)

    def take(self, kind):
        own = [i for i, layer in enumerate(self.model.layers) if type(layer) is kind]
        self.places[kind] = self.places.get(kind, -1) + 1
        return self.of_layer[own[self.places[kind]]]

    # ---------------------------------------------------------------- parts
    def linear(self):
        p = self.take(Linear)
        out = self.look_up(p["w"]).sum(1) + p["b"]
        return out if self.numeric is None else out + self.numeric @ p["v"]

    def embeddings(self):
        return self.look_up(self.take(Embedding)["E"])

    def look_up(self, table):
        found = F.embedding(self.ids, table, sparse=self.sparse)
        pooled = [F.embedding_bag(values, table, starts, mode=mode, sparse=self.sparse)[:, None]
                  for values, starts, mode in self.lists]  # fmt: skip
        return torch.cat([found, *pooled], 1) if pooled else found

    def fields(self):
        e = self.embeddings()
        if self.numeric is None:
            return e
        return torch.cat([e, self.numeric[:, :, None] * self.take(NumericEmbedding)["V"]], 1)

    def flat(self):
        e = self.embeddings().flatten(1)
        return e if self.numeric is None else torch.cat([e, self.numeric], 1)

    def dense(self, x):
        p = self.take(Dense)
        return x @ p["W"] + p["b"]

    def hidden(self, x, widths):
        for _ in widths:
            x = torch.relu(self.dense(x))
        return x

    def tower(self, x):
        return self.dense(self.hidden(x, self.model.hidden))

    def norm(self, x):
        p = self.take(LayerNorm)
        eps = 1e-5
        return F.layer_norm(x, x.shape[-1:], p["gamma"].reshape(-1), p["beta"].reshape(-1), eps)

    # ---------------------------------------------------------------- models
    def LogisticRegression(self):
        return self.linear()

    def FactorizationMachine(self):
        return self.linear() + pairs(self.fields()).sum(1, keepdim=True)

    def FieldAwareFactorizationMachine(self):
        linear, e = self.linear(), self.fields()
        n, count, width = e.shape
        e = e.reshape(n, count, count, width // count)
        total = 0
        for f in range(count):
            for g in range(f + 1, count):
                total = total + (e[:, f, g] * e[:, g, f]).sum(1, keepdim=True)
        return linear + total

    def DNN(self):
        return self.tower(self.flat())

    def WideAndDeep(self):
        return self.linear() + self.tower(self.flat())

    def DeepFM(self):
        linear, e = self.linear(), self.fields()
        return linear + pairs(e).sum(1, keepdim=True) + self.tower(e.flatten(1))

    def DCN(self):
        x0 = x = self.flat()
        for _ in range(self.model.cross_layers):
            p = self.take(CrossVector)
            x = x0 * (x @ p["w"].T) + p["b"] + x
        return self.dense(torch.cat([x, self.hidden(x0, self.model.hidden)], 1))

    def DCNv2(self):
        x0 = x = self.flat()
        for _ in range(self.model.cross_layers):
            p = self.take(CrossMatrix)
            x = x0 * (x @ p["W"] + p["b"]) + x
        return self.dense(torch.cat([x, self.hidden(x0, self.model.hidden)], 1))

    def xDeepFM(self):
        linear, e = self.linear(), self.fields()
        x, pooled = e, []
        for _ in self.model.maps:
            W = self.take(CompressedInteraction)["W"]
            products = (x[:, :, None] * e[:, None]).flatten(1, 2)
            x = torch.einsum("op,npk->nok", W, products)
            pooled.append(x.sum(2))
        return linear + self.dense(torch.cat(pooled, 1)) + self.tower(e.flatten(1))

    def AutoInt(self):
        e = x = self.fields()
        heads = self.model.heads
        for _ in range(self.model.attention_layers):
            parts = torch.chunk(x @ self.take(FieldAttention)["W"], 4, dim=2)
            q, k, v = (torch.stack(torch.chunk(p, heads, dim=2), 1) for p in parts[:3])
            out = torch.softmax(q @ k.transpose(2, 3), dim=3) @ v
            out = torch.cat(list(out.unbind(1)), dim=2)
            x = torch.relu(out + parts[3])
        return self.dense(x.flatten(1)) + self.tower(e.flatten(1))

    def DLRM(self):
        e = self.embeddings()
        if self.numeric is None:
            return self.tower(pairs(e, lower=True))
        dense = self.hidden(self.numeric, [*self.model.bottom, 0])
        return self.tower(torch.cat([dense, pairs(torch.cat([dense[:, None], e], 1), True)], 1))

    def MaskNet(self):
        e = self.fields()
        normal = self.norm(e).flatten(1)
        out = [self.block(e.flatten(1), normal) for _ in range(self.model.blocks)]
        return self.tower(torch.cat(out, 1))

    def block(self, flat, hidden):
        mask = self.dense(torch.relu(self.dense(flat)))
        return torch.relu(self.norm(self.dense(mask * hidden)))

    def FinalMLP(self):
        e = self.fields()
        flat = e.flatten(1)
        streams = [self.hidden(self.gated(flat), self.model.hidden) for _ in range(2)]
        p = self.take(BilinearFusion)
        x, y = streams
        parts = zip(*(torch.chunk(s, self.model.heads, 1) for s in streams), p["W"], strict=True)
        bilinear = sum(((a @ W) * b).sum(1, keepdim=True) for a, b, W in parts)
        return p["b"] + x @ p["wx"] + y @ p["wy"] + bilinear

    def gated(self, flat):
        context = self.take(Constant)["c"]
        for _ in self.model.gate_hidden:
            context = torch.relu(self.dense(context))
        return 2 * torch.sigmoid(self.dense(context)) * flat


def pairs(e, lower=False):
    """<e_f, e_g> of all pairs, (N, F (F - 1) / 2), row by row of the lower triangle."""
    rows, columns = torch.tril_indices(e.shape[1], e.shape[1], -1)
    return (e @ e.transpose(1, 2))[:, rows, columns]
