"""The clipped DP step in PyTorch, as bench/engine.ts measures it beside fedsvd's.

LoRA on frozen layers; the per-sample gradients of every B come from the layer's input passed through A and the gradient
of its output, one batched product a layer. A and the base weights are frozen, and nothing below the lowest adapter is
differentiated. Attention is PyTorch's fused one where this version has it. Weights are random: speed does not depend on
them.

Reads one JSON object from the command line. Then, for every line on standard input: a number of seconds to run for, or
"end". Prints one JSON object a line.
"""

import json
import os
import re
import resource
import sys
import time

import torch
import torch.nn.functional as F

case = json.loads(sys.argv[1])
torch.set_num_threads(case["threads"])
torch.manual_seed(0)
RANK, SCALE, CLASSES, CLIP_NORM = case["rank"], case["scale"], case["classes"], 1.0
WIDTH, HEADS, FFN, LAYERS = case["width"], case["heads"], case["ffnWidth"], case["layers"]
IS_STARTER = case["kind"] == "starter"
EPSILON = 1e-6 if IS_STARTER else 1e-5
HAS_FUSED_ATTENTION = hasattr(F, "scaled_dot_product_attention")
PADDING = -1


class AdaptedLinear(torch.autograd.Function):
    """x W0^T + bias + scale (x A^T) B^T; the per-sample gradient of B is left in `keep`."""

    @staticmethod
    def forward(ctx, x, weight, bias, a, b, keep):
        narrow = x @ a.T
        ctx.save_for_backward(weight, a, b, narrow)
        ctx.keep = keep
        y = F.linear(x, weight, bias)
        return torch.baddbmm(y, narrow, (SCALE * b.T).expand(x.shape[0], -1, -1))

    @staticmethod
    def backward(ctx, dy):
        weight, a, b, narrow = ctx.saved_tensors
        ctx.keep.append(SCALE * torch.bmm(dy.transpose(1, 2), narrow))
        dx = None
        if ctx.needs_input_grad[0]:
            dx = dy @ weight
            dx += (SCALE * (dy @ b)) @ a
        return dx, None, None, None, None, None


def weight(*shape):
    return torch.randn(*shape) * 0.02


class Linear:
    def __init__(self, d_in, d_out, adapted):
        self.weight, self.bias = weight(d_out, d_in), weight(d_out)
        self.adapted = adapted
        if adapted:
            self.a, self.b = weight(RANK, d_in), weight(d_out, RANK).requires_grad_()

    def __call__(self, x, keep):
        if not self.adapted:
            return F.linear(x, self.weight, self.bias)
        return AdaptedLinear.apply(x, self.weight, self.bias, self.a, self.b, keep)


def norm_of(width):
    gain, bias = torch.ones(width), torch.zeros(width)
    return lambda x: F.layer_norm(x, (width,), gain, bias, EPSILON)


def attend(q, k, v, mask):
    n, t, width = q.shape
    q, k, v = (part.view(n, t, HEADS, width // HEADS).transpose(1, 2) for part in (q, k, v))
    if HAS_FUSED_ATTENTION:
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    else:
        mixed = torch.softmax((q * (width // HEADS) ** -0.5) @ k.transpose(2, 3) + mask, -1) @ v
    return mixed.transpose(1, 2).reshape(n, t, width)


class StarterLayer:
    def __init__(self, d_in):
        self.norm1, self.norm2 = norm_of(d_in), norm_of(WIDTH)
        self.qkv, self.out = Linear(d_in, 3 * d_in, True), Linear(d_in, WIDTH, True)
        self.residual = Linear(d_in, WIDTH, False) if d_in != WIDTH else None
        self.up, self.down = Linear(WIDTH, FFN, True), Linear(FFN, WIDTH, True)

    def __call__(self, x, mask, keep):
        q, k, v = self.qkv(self.norm1(x), keep).chunk(3, -1)
        shortcut = self.residual(x, keep) if self.residual else x
        x = shortcut + self.out(attend(q, k, v, mask), keep)
        return x + self.down(torch.relu(self.up(self.norm2(x), keep)), keep)


class BertLayer:
    def __init__(self):
        self.norm1, self.norm2 = norm_of(WIDTH), norm_of(WIDTH)
        self.query, self.value = Linear(WIDTH, WIDTH, True), Linear(WIDTH, WIDTH, True)
        self.key, self.out = Linear(WIDTH, WIDTH, False), Linear(WIDTH, WIDTH, False)
        self.up, self.down = Linear(WIDTH, FFN, False), Linear(FFN, WIDTH, False)

    def __call__(self, x, mask, keep):
        mixed = attend(self.query(x, keep), self.key(x, keep), self.value(x, keep), mask)
        x = self.norm1(self.out(mixed, keep) + x)
        return self.norm2(self.down(F.gelu(self.up(x, keep)), keep) + x)


class Model:
    def __init__(self):
        embedding_width = case["embeddingWidth"]
        self.words = weight(case["vocabularySize"], embedding_width)
        self.places = weight(case["maxTokens"], embedding_width)
        if IS_STARTER:
            self.layers = [StarterLayer(embedding_width)] + [StarterLayer(WIDTH) for _ in range(LAYERS - 1)]
            self.pooler = Linear(WIDTH, WIDTH, False)
        else:
            self.layers = [BertLayer() for _ in range(LAYERS)]
            self.embedding_norm = norm_of(WIDTH)
        self.head, self.head_bias = weight(CLASSES, WIDTH), weight(CLASSES)

    def features(self, ids, keep):
        is_token = ids != PADDING
        x = self.words[ids.clamp(min=0)] + self.places[: ids.shape[1]]
        mask = torch.zeros(ids.shape[0], 1, 1, ids.shape[1]).masked_fill(~is_token[:, None, None, :], -1e9)
        if is_token.all() and HAS_FUSED_ATTENTION:
            mask = None
        if not IS_STARTER:
            x = self.embedding_norm(x)
        for layer in self.layers:
            x = layer(x, mask, keep)
        if not IS_STARTER:
            return x[:, 0]
        share = is_token.float() / is_token.sum(1, keepdim=True)
        pooled = torch.tanh(self.pooler((share[:, None] @ x)[:, 0], keep))
        return F.normalize(pooled, dim=-1)

    def clipped_sum(self, ids, labels):
        keep = []
        features = self.features(ids, keep)
        logits = F.linear(features, self.head, self.head_bias)
        loss = F.cross_entropy(logits, labels, reduction="sum")
        d_logits = torch.softmax(logits.detach(), -1) - F.one_hot(labels, CLASSES)
        loss.backward()
        with torch.no_grad():
            keep += [torch.bmm(d_logits[:, :, None], features[:, None]), d_logits]
            norms = torch.sqrt(sum(g.flatten(1).square().sum(1) for g in keep))
            factor = (CLIP_NORM / norms).clamp(max=1.0)
            return [torch.tensordot(factor, g, 1) for g in keep], norms


def batches(lengths, size, is_sorted):
    order = sorted(range(len(lengths)), key=lambda n: lengths[n]) if is_sorted else range(len(lengths))
    order = list(order)
    for start in range(0, len(order), size):
        members = order[start : start + size]
        ids = torch.full((len(members), max(lengths[n] for n in members)), PADDING, dtype=torch.long)
        for row, n in enumerate(members):
            ids[row, : lengths[n]] = (977 * n + 131 * torch.arange(lengths[n])) % case["vocabularySize"]
        yield ids, torch.tensor([n % CLASSES for n in members])


def run_lot(model, size, is_sorted):
    """One lot; returns the seconds it took."""
    start = time.perf_counter()
    total = None
    for ids, labels in batches(case["lengths"], size, is_sorted):
        sums, _ = model.clipped_sum(ids, labels)
        total = sums if total is None else [a + b for a, b in zip(total, sums)]
    return time.perf_counter() - start


def cpu_of_lot(model, size):
    """Processor seconds, which other processes on the machine disturb less."""
    run_lot(model, size, False)
    start = time.process_time()
    run_lot(model, size, False)
    return time.process_time() - start


def matrix_library():
    """What multiplies matrices here: the BLAS that is loaded beside PyTorch, or the one that is built in."""
    try:
        with open("/proc/self/maps") as maps:
            files = {os.path.realpath(line.split()[-1]) for line in maps if "blas" in line or "mkl_rt" in line}
    except OSError:
        return "unknown"
    names = sorted(os.path.basename(file) for file in files if "/" in file)
    optimised = [name for name in names if re.search("openblas|blis|mkl|atlas", name)]
    if names:
        return ", ".join(optimised or names)
    return "MKL" if torch.backends.mkl.is_available() else "unknown"


def main():
    model = Model()
    sizes = sorted({min(size, len(case["lengths"])) for size in case["batchSizes"]})
    best = sizes[0] if len(sizes) == 1 else min(sizes, key=lambda size: cpu_of_lot(model, size))
    about = {"version": torch.__version__, "blas": matrix_library(), "batchSize": best}
    print(json.dumps(about), flush=True)
    for line in sys.stdin:
        command = line.split()
        if command[0] == "end":
            break
        seconds, is_sorted = float(command[0]), command[1:] == ["sorted"]
        spent, examples, cpu = 0.0, 0, time.process_time()
        while spent < seconds:
            spent += run_lot(model, best, is_sorted)
            examples += len(case["lengths"])
        cpu = time.process_time() - cpu
        print(json.dumps({"examplesPerSecond": examples / spent, "examplesPerCpuSecond": examples / cpu}), flush=True)
    print(json.dumps({"peakRssMb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}), flush=True)


main()
