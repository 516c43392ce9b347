"""Reference vectors for the decoders and their tasks, computed by PyTorch autograd in float64.

Nothing here is shared with the TypeScript implementation: GPT-2 and Llama are written out with plain tensor operations under
Hugging Face's parameter names, the adapters are applied to activations (x A^T B^T) and not merged into weights, key-value
heads are repeated by indexing, losses are PyTorch's own, and each record is differentiated on its own, without padding.

Run from the repository root:  python3 scripts/decoder_vectors.py
Writes packages/engine/src/training/vectors/decoders.json and decoders.f32 (little-endian float32: for every case the
gradient of each record and then the clipped sum, all tensors one after the other).
"""

import json
import math
from pathlib import Path

import numpy as np
import torch

TARGET = Path(__file__).resolve().parent.parent / "packages/engine/src/training/vectors"
RANK, ALPHA, CLASSES = 2, 3.0, 3
VOCABULARY, WIDTH, LAYERS, POSITIONS = 19, 8, 2, 48


def wave(key, shape, amplitude):
    """The fixed irregular values that the tests generate too; rounded to float32 as the engine receives them."""
    index = np.arange(1, int(np.prod(shape)) + 1, dtype=np.float64)
    values = amplitude * np.sin(12.9898 * index + 78.233 * (key + 1) ** 2)
    return torch.tensor(values.astype(np.float32).astype(np.float64)).reshape(shape)


def checkpoint(specs):
    tensors = {}
    for key, (name, shape) in enumerate(specs):
        values = wave(key, shape, 0.4 if len(shape) == 2 else 0.3)
        is_gain = len(shape) == 1 and name.endswith(".weight")
        tensors[name] = (1 + values).float().double() if is_gain else values
    return tensors


class Adapted:
    """Linear layers with LoRA beside them; `fan_in_fan_out` says that weights are stored as [in, out]."""

    def __init__(self, weights, layers, fan_in_fan_out):
        self.w, self.fan_in_fan_out = weights, fan_in_fan_out
        self.factors = {}
        for index, (name, d_in, d_out) in enumerate(layers):
            a = wave(100 + index, (RANK, d_in), 0.4)
            self.factors[name] = (a, wave(200 + index, (d_out, RANK), 0.3).requires_grad_())

    def __call__(self, name, x):
        weight = self.w[f"{name}.weight"]
        y = x @ weight if self.fan_in_fan_out else x @ weight.T
        if f"{name}.bias" in self.w:
            y = y + self.w[f"{name}.bias"]
        a, b = self.factors[name]
        return y + (ALPHA / RANK) * (x @ a.T) @ b.T


def causal(q, k, v):
    """q, k, v: [heads, T, d], one key-value head for every query head."""
    length = q.shape[1]
    scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])
    scores = scores.masked_fill(torch.ones(length, length).triu(1).bool(), float("-inf"))
    return (torch.softmax(scores, -1) @ v).transpose(0, 1).reshape(length, -1)


def heads(x, count):
    return x.reshape(x.shape[0], count, -1).transpose(0, 1)


class Gpt2:
    name, heads, ffn, epsilon = "gpt2", 2, 16, 1e-5

    def __init__(self):
        w, f = WIDTH, self.ffn
        specs = [("transformer.wte.weight", (VOCABULARY, w)), ("transformer.wpe.weight", (POSITIONS, w))]
        layers = []
        for index in range(LAYERS):
            h = f"transformer.h.{index}"
            shapes = {"attn.c_attn": (w, 3 * w), "attn.c_proj": (w, w), "mlp.c_fc": (w, f), "mlp.c_proj": (f, w)}
            layers += [(f"{h}.{name}", *shape) for name, shape in shapes.items()]
            for part in ("ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj"):
                shape = shapes.get(part, (w,))
                specs += [(f"{h}.{part}.weight", shape), (f"{h}.{part}.bias", shape[-1:])]
        specs += [("transformer.ln_f.weight", (w,)), ("transformer.ln_f.bias", (w,))]
        self.w = checkpoint(specs)
        self.linear = Adapted(self.w, layers, fan_in_fan_out=True)
        self.output = self.w["transformer.wte.weight"]
        self.tag_head = "classifier"

    def norm(self, name, x):
        return torch.nn.functional.layer_norm(x, (WIDTH,), self.w[f"{name}.weight"], self.w[f"{name}.bias"], self.epsilon)

    def __call__(self, ids):
        x = self.w["transformer.wte.weight"][ids] + self.w["transformer.wpe.weight"][: len(ids)]
        for index in range(LAYERS):
            h = f"transformer.h.{index}"
            qkv = self.linear(f"{h}.attn.c_attn", self.norm(f"{h}.ln_1", x))
            q, k, v = (heads(part, self.heads) for part in qkv.chunk(3, -1))
            x = x + self.linear(f"{h}.attn.c_proj", causal(q, k, v))
            inner = self.linear(f"{h}.mlp.c_fc", self.norm(f"{h}.ln_2", x))
            gelu = 0.5 * inner * (1 + torch.tanh(math.sqrt(2 / math.pi) * (inner + 0.044715 * inner**3)))
            x = x + self.linear(f"{h}.mlp.c_proj", gelu)
        return self.norm("transformer.ln_f", x)


class Llama:
    tag_head = "score"

    def __init__(self, name, heads, kv_heads, epsilon, theta, scaling, bias, tied):
        self.name, self.heads, self.kv_heads, self.epsilon = name, heads, kv_heads, epsilon
        w, f, d = WIDTH, 12, 4
        specs, layers = [("model.embed_tokens.weight", (VOCABULARY, w))], []
        for index in range(LAYERS):
            m = f"model.layers.{index}"
            shapes = {
                "self_attn.q_proj": (heads * d, w),
                "self_attn.k_proj": (kv_heads * d, w),
                "self_attn.v_proj": (kv_heads * d, w),
                "self_attn.o_proj": (w, heads * d),
                "mlp.gate_proj": (f, w),
                "mlp.up_proj": (f, w),
                "mlp.down_proj": (w, f),
            }
            layers += [(f"{m}.{part}", shape[1], shape[0]) for part, shape in shapes.items()]
            attention, mlp = list(shapes)[:4], list(shapes)[4:]
            for part in ("input_layernorm", *attention, "post_attention_layernorm", *mlp):
                shape = shapes.get(part, (w,))
                specs.append((f"{m}.{part}.weight", shape))
                if bias and part in attention[:3]:
                    specs.append((f"{m}.{part}.bias", shape[:1]))
        specs.append(("model.norm.weight", (w,)))
        if not tied:
            specs.append(("lm_head.weight", (VOCABULARY, w)))
        self.w = checkpoint(specs)
        self.linear = Adapted(self.w, layers, fan_in_fan_out=False)
        self.output = self.w["model.embed_tokens.weight" if tied else "lm_head.weight"]
        self.inv_freq = self.frequencies(d, theta, scaling)

    def frequencies(self, d, theta, scaling):
        inv_freq = (1.0 / theta ** (torch.arange(0, d, 2, dtype=torch.float64) / d)).float().double()
        if scaling is None:
            return inv_freq
        factor, low, high, old = scaling
        wavelength = 2 * math.pi / inv_freq
        smooth = (old / wavelength - low) / (high - low)
        blended = (1 - smooth) * inv_freq / factor + smooth * inv_freq
        result = torch.where(wavelength > old / low, inv_freq / factor, blended)
        return torch.where(wavelength < old / high, inv_freq, result).float().double()

    def norm(self, name, x):
        return self.w[f"{name}.weight"] * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon))

    def rotate(self, x, angles):
        half = x.shape[-1] // 2
        turned = torch.cat([-x[..., half:], x[..., :half]], -1)
        return x * angles.cos() + turned * angles.sin()

    def __call__(self, ids):
        x = self.w["model.embed_tokens.weight"][ids]
        angles = (torch.arange(len(ids), dtype=torch.float64)[:, None] * self.inv_freq[None]).float().double()
        angles = torch.cat([angles, angles], -1)
        shared = torch.arange(self.heads) // (self.heads // self.kv_heads)
        for index in range(LAYERS):
            m = f"model.layers.{index}"
            z = self.norm(f"{m}.input_layernorm", x)
            q = self.rotate(heads(self.linear(f"{m}.self_attn.q_proj", z), self.heads), angles)
            k = self.rotate(heads(self.linear(f"{m}.self_attn.k_proj", z), self.kv_heads), angles)
            v = heads(self.linear(f"{m}.self_attn.v_proj", z), self.kv_heads)
            x = x + self.linear(f"{m}.self_attn.o_proj", causal(q, k[shared], v[shared]))
            z = self.norm(f"{m}.post_attention_layernorm", x)
            gate = torch.nn.functional.silu(self.linear(f"{m}.mlp.gate_proj", z))
            x = x + self.linear(f"{m}.mlp.down_proj", gate * self.linear(f"{m}.mlp.up_proj", z))
        return self.norm("model.norm", x)


LENGTHS = (2, 5, 17, 40)
IDS = [[(7 * n + 3 * t * (t + n) + t // 3) % VOCABULARY for t in range(length)] for n, length in enumerate(LENGTHS, 1)]


def records_of(task):
    """`targets` has what is to be predicted at every position, -100 where there is no loss."""
    for n, ids in enumerate(IDS):
        if task == "sequence-classification":
            yield {"tokenIds": ids, "label": n % CLASSES}
        elif task == "token-classification":
            yield {"tokenIds": ids, "targets": [(t + n) % CLASSES if t % 3 != 1 else -100 for t in range(len(ids))]}
        else:
            start = 0 if task == "causal-lm" else (len(ids) - 1) // 2
            yield {"tokenIds": ids, "targets": [*[-100] * start, *ids[start + 1 :], -100]}


def case(model, task):
    head = []
    if task == "sequence-classification":
        head = [wave(300, (CLASSES, WIDTH), 0.7).requires_grad_()]
    if task == "token-classification":
        head = [wave(300, (CLASSES, WIDTH), 0.7).requires_grad_(), wave(301, (CLASSES,), 0.7).requires_grad_()]
    trained = [b for _, b in model.linear.factors.values()] + head
    records, gradients, losses, norms, outputs = list(records_of(task)), [], [], [], []
    for record in records:
        hidden = model(torch.tensor(record["tokenIds"]))
        if task == "sequence-classification":
            logits = hidden[-1] @ head[0].T
            loss = torch.nn.functional.cross_entropy(logits[None], torch.tensor([record["label"]]))
            outputs.append(logits.tolist())
        else:
            logits = hidden @ head[0].T + head[1] if head else hidden @ model.output.T
            targets = torch.tensor(record["targets"])
            loss = torch.nn.functional.cross_entropy(logits, targets, ignore_index=-100)
            each = torch.nn.functional.cross_entropy(logits, targets, ignore_index=-100, reduction="none")
            outputs.append({"losses": each[targets >= 0].tolist(), "predicted": logits.argmax(-1)[targets >= 0].tolist()})
        gradient = torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, trained)])
        gradients.append(gradient)
        losses.append(loss.item())
        norms.append(gradient.norm().item())
    clip_norm = float(np.median(norms))
    total = sum(g * min(1.0, clip_norm / n) for g, n in zip(gradients, norms))
    facts = {"model": model.name, "task": task, "clipNorm": clip_norm, "records": records}
    return {**facts, "losses": losses, "norms": norms, "outputs": outputs}, [*gradients, total]


def main():
    models = [
        Gpt2(),
        Llama("llama", 4, 2, 1e-5, 10_000.0, (8, 1, 4, 32), bias=False, tied=False),
        Llama("qwen2", 2, 1, 1e-6, 1_000_000.0, None, bias=True, tied=True),
    ]
    cases, vectors = [], []
    for model in models:
        for task in ("sequence-classification", "token-classification", "causal-lm", "instruction-tuning"):
            facts, gradients = case(model, task)
            cases.append(facts)
            vectors += gradients
            print(model.name, task, "norms", [round(n, 3) for n in facts["norms"]])
    terms = {"rank": RANK, "alpha": ALPHA, "classes": CLASSES}
    (TARGET / "decoders.json").write_text(json.dumps({**terms, "cases": cases}) + "\n")
    (TARGET / "decoders.f32").write_bytes(torch.cat(vectors).numpy().astype("<f4").tobytes())


if __name__ == "__main__":
    main()
