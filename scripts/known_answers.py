"""Known answers for the engine's self-test of a runtime: losses, norms and integers of tiny models, by PyTorch in float64.

The models are those of encoder_vectors.py and decoder_vectors.py, which share nothing with the TypeScript implementation.
Clipping and rounding to the grid are written out here.

Run from the repository root:  python3 scripts/known_answers.py
Writes packages/engine/src/training/vectors/known-answers.json.
"""

import json
from pathlib import Path

import torch
from torch.nn import functional as F

import decoder_vectors
import encoder_vectors

TARGET = Path(__file__).resolve().parent.parent / "packages/engine/src/training/vectors/known-answers.json"
GRID_BITS = 18
CLIP_TARGET = 2**GRID_BITS * (1 - 2**-20)

# The longest gradient of a case has this many grid units at its fine clip norm: so few that float32 leaves every integer
# as it is, if no value lies within MARGIN of a half.
FINE_UNITS = 32
MARGIN = 0.004

DISTILBERT = {
    "model_type": "distilbert", "vocab_size": 19, "dim": 8, "n_layers": 2, "n_heads": 2, "hidden_dim": 12,
    "activation": "gelu", "max_position_embeddings": 32,
}
GPT2 = {"model_type": "gpt2", "vocab_size": 19, "n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": 48, "n_inner": 16}
QWEN2 = {
    "model_type": "qwen2", "vocab_size": 19, "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 2,
    "head_dim": 4, "max_position_embeddings": 48, "num_attention_heads": 2, "num_key_value_heads": 1,
    "rms_norm_eps": 1e-6, "rope_theta": 1_000_000, "tie_word_embeddings": True,
}


# Short enough for one shape of micro-batch: a device makes ready its kernels for each.
LENGTHS = (2, 5, 13)


def units(gradient, clip_norm):
    """One record's integers: the gradient clipped to the norm clip_norm, in grid units, halves to even."""
    factor = min(2**GRID_BITS / clip_norm, CLIP_TARGET / gradient.norm().item())
    return torch.round(gradient * factor)


def fine_clip_norm(gradients):
    """A clip norm at which no value of any record lies close to where it would be rounded the other way."""
    values = torch.cat(gradients)
    longest = max(g.norm().item() for g in gradients)
    for step in range(1_000_000):
        clip_norm = longest * 2**GRID_BITS / FINE_UNITS * (1 + 1e-5 * step)
        scaled = values * (2**GRID_BITS / clip_norm)
        if ((scaled - scaled.floor() - 0.5).abs()).min() > MARGIN:
            return clip_norm
    raise SystemExit("no such clip norm: lower MARGIN")


def answers(gradients, losses):
    norms = [g.norm().item() for g in gradients]
    fine, clipping = fine_clip_norm(gradients), sorted(norms)[len(norms) // 2] * 0.9
    return {
        "losses": losses,
        "norms": norms,
        "fine": {"clipNorm": fine, "units": [units(g, fine).int().tolist() for g in gradients]},
        "clipped": {"clipNorm": clipping, "units": [units(g, clipping).int().tolist() for g in gradients]},
    }


def distilbert():
    model = encoder_vectors.DistilBertForSequenceClassification(DISTILBERT).double()
    named = [(n, p) for n, p in model.named_parameters() if n.split(".")[0] not in encoder_vectors.HEADS]
    specs = [(n, tuple(p.shape)) for n, p in named]
    weights = decoder_vectors.checkpoint(specs)
    for name, parameter in named:
        parameter.data, parameter.requires_grad = weights[name], False
    rank = encoder_vectors.RANK
    targets, factors = ("q_lin", "v_lin", "lin1", "lin2"), []
    for index, name in enumerate(encoder_vectors.adapted_layers(model, targets)):
        base = model.get_submodule(name)
        a = decoder_vectors.wave(100 + index, (rank, base.in_features), 0.4)
        b = decoder_vectors.wave(200 + index, (base.out_features, rank), 0.3).requires_grad_()
        factors.append(b)
        encoder_vectors.replace(model, name, encoder_vectors.Adapted(base, a, b))
    head = [p for n, p in model.named_parameters() if n.split(".")[0] in encoder_vectors.HEADS]
    for index, parameter in enumerate(head):
        parameter.data = decoder_vectors.wave(300 + index, tuple(parameter.shape), 0.7)
    records, losses, gradients = [], [], []
    for n, length in enumerate(LENGTHS):
        ids = [(7 * n + 3 * t * (t + n) + t // 3) % 19 for t in range(length)]
        label = n % encoder_vectors.CLASSES
        output = model(torch.tensor(ids), torch.zeros(length))
        loss = F.cross_entropy(output[None], torch.tensor([label]))
        gradients.append(torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, factors + head)]))
        losses.append(loss.item())
        records.append({"tokenIds": ids, "label": label})
    terms = {
        "task": "sequence-classification", "rank": rank, "alpha": encoder_vectors.ALPHA, "targets": list(targets),
        "classes": encoder_vectors.CLASSES, "featureScale": encoder_vectors.FEATURE_SCALE,
    }
    return {"config": DISTILBERT, **terms, "tensors": specs, "records": records, **answers(gradients, losses)}


def decoder(config, model, task):
    decoder_vectors.IDS = [ids[:length] for ids, length in zip(decoder_vectors.IDS, LENGTHS)]
    facts, [*gradients, _] = decoder_vectors.case(model, task)
    terms = {
        "task": task, "rank": decoder_vectors.RANK, "alpha": decoder_vectors.ALPHA, "targets": ["all-linear"],
        "classes": decoder_vectors.CLASSES, "featureScale": 1,
    }
    specs = [(name, tuple(tensor.shape)) for name, tensor in model.w.items()]
    return {
        "config": config, **terms, "tensors": specs, "records": facts["records"], **answers(gradients, facts["losses"])
    }


def main():
    qwen2 = decoder_vectors.Llama("qwen2", 2, 1, 1e-6, 1_000_000.0, None, bias=True, tied=True)
    cases = [
        distilbert(),
        decoder(GPT2, decoder_vectors.Gpt2(), "causal-lm"),
        decoder(QWEN2, qwen2, "token-classification"),
    ]
    TARGET.write_text(json.dumps(cases, separators=(",", ":")) + "\n")
    for case in cases:
        print(case["config"]["model_type"], "norms", [round(n, 3) for n in case["norms"]], TARGET.stat().st_size)


if __name__ == "__main__":
    main()
