"""Tiny random checkpoints of every encoder family, and what PyTorch makes of them: logits, losses, per-sample gradients.

The models are written out here as plain torch modules whose parameters have the names of Hugging Face's
`...ForSequenceClassification` checkpoints. Nothing is shared with the TypeScript implementation: adapters are applied to
activations (x A^T B^T) and not merged into weights, records are not padded, and each is differentiated on its own, in
float64.

Run from the repository root with a Python that has torch:  python3 scripts/encoder_vectors.py
Writes packages/engine/src/training/vectors/encoders/<case>/: config.json, model.safetensors (or shards), tokenizer.json,
vectors.json and gradients.f32 (little-endian float32, [records, trained scalars]).
"""

import json
import shutil
import struct
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

TARGET = Path(__file__).resolve().parent.parent / "packages/engine/src/training/vectors/encoders"
RANK, ALPHA, CLASSES, FEATURE_SCALE = 2, 4.0, 3, 1.5
AMPLITUDE_A, AMPLITUDE_B = 0.3, 0.25
LABELS = (0, 2, 1, 2, 0)


class BertSelfAttention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))


class Dense(nn.Module):
    def __init__(self, d_in, d_out, norm_epsilon=None):
        super().__init__()
        self.dense = nn.Linear(d_in, d_out)
        if norm_epsilon is not None:
            self.LayerNorm = nn.LayerNorm(d_out, eps=norm_epsilon)


class BertAttention(nn.Module):
    def __init__(self, width, epsilon):
        super().__init__()
        self.self = BertSelfAttention(width)
        self.output = Dense(width, width, epsilon)


class BertLayer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.attention = BertAttention(c["hidden_size"], c["layer_norm_eps"])
        self.intermediate = Dense(c["hidden_size"], c["intermediate_size"])
        self.output = Dense(c["intermediate_size"], c["hidden_size"], c["layer_norm_eps"])

    def forward(self, x, heads):
        a = self.attention
        mixed = attention(a.self.query(x), a.self.key(x), a.self.value(x), heads)
        x = a.output.LayerNorm(a.output.dense(mixed) + x)
        return self.output.LayerNorm(self.output.dense(F.gelu(self.intermediate.dense(x))) + x)


class BertEmbeddings(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.word_embeddings = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.position_embeddings = nn.Embedding(c["max_position_embeddings"], c["hidden_size"])
        self.token_type_embeddings = nn.Embedding(c["type_vocab_size"], c["hidden_size"])
        self.LayerNorm = nn.LayerNorm(c["hidden_size"], eps=c["layer_norm_eps"])

    def forward(self, ids, positions, types):
        words = self.word_embeddings(ids) + self.token_type_embeddings(types)
        return self.LayerNorm(words + self.position_embeddings(positions))


class LayerList(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.layer = nn.ModuleList(layers)


class BertModel(nn.Module):
    def __init__(self, c, has_pooler):
        super().__init__()
        self.embeddings = BertEmbeddings(c)
        self.encoder = LayerList(BertLayer(c) for _ in range(c["num_hidden_layers"]))
        if has_pooler:
            self.pooler = Dense(c["hidden_size"], c["hidden_size"])
        self.heads = c["num_attention_heads"]

    def forward(self, ids, positions, types):
        x = self.embeddings(ids, positions, types)
        for layer in self.encoder.layer:
            x = layer(x, self.heads)
        return x


class BertForSequenceClassification(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.bert = BertModel(c, has_pooler=True)
        self.classifier = nn.Linear(c["hidden_size"], CLASSES)

    def forward(self, ids, types):
        states = self.bert(ids, torch.arange(len(ids)), types)
        return self.classifier(FEATURE_SCALE * torch.tanh(self.bert.pooler.dense(states[0])))


class RobertaHead(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.dense = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, CLASSES)

    def forward(self, x):
        return self.out_proj(FEATURE_SCALE * torch.tanh(self.dense(x)))


class RobertaForSequenceClassification(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.roberta = BertModel(c, has_pooler=False)
        self.classifier = RobertaHead(c["hidden_size"])
        self.padding = c["pad_token_id"]

    def forward(self, ids, types):
        # positions count from behind the padding id; every token is of type 0
        positions = torch.arange(len(ids)) + self.padding + 1
        return self.classifier(self.roberta(ids, positions, torch.zeros_like(ids))[0])


class DistilAttention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.q_lin, self.k_lin, self.v_lin, self.out_lin = (nn.Linear(width, width) for _ in range(4))


class DistilFFN(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.lin1, self.lin2 = nn.Linear(width, inner), nn.Linear(inner, width)


class DistilLayer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.attention = DistilAttention(c["dim"])
        self.sa_layer_norm = nn.LayerNorm(c["dim"], eps=1e-12)
        self.ffn = DistilFFN(c["dim"], c["hidden_dim"])
        self.output_layer_norm = nn.LayerNorm(c["dim"], eps=1e-12)

    def forward(self, x, heads):
        a = self.attention
        x = self.sa_layer_norm(a.out_lin(attention(a.q_lin(x), a.k_lin(x), a.v_lin(x), heads)) + x)
        return self.output_layer_norm(self.ffn.lin2(F.gelu(self.ffn.lin1(x))) + x)


class DistilEmbeddings(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.word_embeddings = nn.Embedding(c["vocab_size"], c["dim"])
        self.position_embeddings = nn.Embedding(c["max_position_embeddings"], c["dim"])
        self.LayerNorm = nn.LayerNorm(c["dim"], eps=1e-12)


class DistilBertModel(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embeddings = DistilEmbeddings(c)
        self.transformer = LayerList(DistilLayer(c) for _ in range(c["n_layers"]))
        self.heads = c["n_heads"]

    def forward(self, ids):
        e = self.embeddings
        x = e.LayerNorm(e.word_embeddings(ids) + e.position_embeddings(torch.arange(len(ids))))
        for layer in self.transformer.layer:
            x = layer(x, self.heads)
        return x


class DistilBertForSequenceClassification(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.distilbert = DistilBertModel(c)
        self.pre_classifier = nn.Linear(c["dim"], c["dim"])
        self.classifier = nn.Linear(c["dim"], CLASSES)

    def forward(self, ids, types):
        return self.classifier(FEATURE_SCALE * F.relu(self.pre_classifier(self.distilbert(ids)[0])))


def attention(query, key, value, heads):
    def split(x):
        return x.view(x.shape[0], heads, -1).transpose(0, 1)

    scores = split(query) @ split(key).transpose(-1, -2) / (query.shape[-1] // heads) ** 0.5
    return (torch.softmax(scores, -1) @ split(value)).transpose(0, 1).reshape(query.shape)


class Adapted(nn.Module):
    """A linear layer with LoRA beside it, as PEFT computes it."""

    def __init__(self, base, a, b):
        super().__init__()
        self.base, self.a, self.b = base, a, b

    def forward(self, x):
        return self.base(x) + (ALPHA / RANK) * (x @ self.a.T) @ self.b.T


def wave(key, shape, amplitude):
    """The fixed irregular values that the test generates too; rounded to float32 as the engine receives them."""
    index = np.arange(1, int(np.prod(shape)) + 1, dtype=np.float64)
    values = amplitude * np.sin(12.9898 * index + 78.233 * (key + 1) ** 2)
    return torch.tensor(values.astype(np.float32).astype(np.float64)).reshape(tuple(shape))


def randomise(model, seed):
    """Weights as a trained model has them in size, so that no activation saturates and none vanishes."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        spread = 0.6 if "embeddings" in name and parameter.dim() == 2 else 0.9 / parameter.shape[-1] ** 0.5
        values = spread * torch.randn(parameter.shape, generator=generator)
        if name.endswith("LayerNorm.weight") or name.endswith("layer_norm.weight"):
            values = 1 + 0.3 * values
        parameter.data = values


DTYPES = {
    "F32": lambda x: x.float().numpy().tobytes(),
    "F16": lambda x: x.half().numpy().tobytes(),
    "BF16": lambda x: x.bfloat16().view(torch.int16).numpy().tobytes(),
    "I64": lambda x: x.long().numpy().tobytes(),
}
ROUND = {"F32": torch.Tensor.float, "F16": torch.Tensor.half, "BF16": torch.Tensor.bfloat16}


def write_safetensors(path, tensors, dtype):
    header, payload = {"__metadata__": {"format": "pt"}}, b""
    for name, tensor in tensors.items():
        kind = "I64" if tensor.dtype == torch.int64 else dtype
        data = DTYPES[kind](tensor)
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [len(payload), len(payload) + len(data)]}
        payload += data
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + payload)


def special(identifier, content):
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": identifier, "content": content, **flags}


def word_piece(words):
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    cls, sep = ({"SpecialToken": {"id": name, "type_id": kind}} for name, kind in (("[CLS]", 0), ("[SEP]", 0)))
    first, second = ({"Sequence": {"id": name, "type_id": kind}} for name, kind in (("A", 0), ("B", 1)))
    last = {"SpecialToken": {"id": "[SEP]", "type_id": 1}}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [special(i, name) for i, name in enumerate(vocabulary[:5])],
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing", "single": [cls, first, sep], "pair": [cls, first, sep, second, last],
            "special_tokens": {n: {"id": n, "ids": [i], "tokens": [n]} for n, i in (("[CLS]", 2), ("[SEP]", 3))},
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": {piece: i for i, piece in enumerate(vocabulary)},
        },
    }


WORDS = [
    *"the a of to in is was not and but very so with for on it this that movie film story plot acting was".split(),
    *"good great fine bad poor awful dull bright long short again never always quite rather".split(),
    *". , ! ? ##ly ##s ##ing".split(),
]
WORDS = list(dict.fromkeys(WORDS))
VOCABULARY = 5 + len(WORDS)
BERT = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 48, "hidden_act": "gelu", "max_position_embeddings": 32, "type_vocab_size": 2,
    "layer_norm_eps": 1e-12, "pad_token_id": 0,
}
ROBERTA = {**BERT, "max_position_embeddings": 34, "type_vocab_size": 1, "layer_norm_eps": 1e-5, "pad_token_id": 1}
CASES = {
    "bert": {
        "config": {**BERT, "model_type": "bert", "architectures": ["BertForPreTraining"]},
        "model": BertForSequenceClassification, "targets": ("query", "value"), "dtype": "F32", "pairs": True,
        # an early file: gamma and beta, and integer position ids
        "rename": lambda name: name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"),
        "extra": {"bert.embeddings.position_ids": torch.arange(32)[None]},
    },
    "roberta": {
        "config": {**ROBERTA, "model_type": "roberta", "architectures": ["RobertaForMaskedLM"]},
        "model": RobertaForSequenceClassification, "targets": ("query", "value", "output.dense"), "dtype": "F32",
    },
    "xlm-roberta": {
        "config": {**ROBERTA, "model_type": "xlm-roberta", "architectures": ["XLMRobertaModel"]},
        "model": RobertaForSequenceClassification, "targets": ("query", "value"), "dtype": "F16", "shards": 2,
        # a file of the bare encoder
        "rename": lambda name: name.replace("roberta.", "", 1),
    },
    "distilbert": {
        "config": {
            "model_type": "distilbert", "architectures": ["DistilBertForMaskedLM"], "vocab_size": VOCABULARY, "dim": 32,
            "n_layers": 2, "n_heads": 4, "hidden_dim": 48, "activation": "gelu", "max_position_embeddings": 32,
            "sinusoidal_pos_embds": False, "pad_token_id": 0,
        },
        "model": DistilBertForSequenceClassification, "targets": ("q_lin", "v_lin", "lin1"), "dtype": "BF16",
    },
}
HEADS = ("classifier", "pre_classifier")


def adapted_layers(model, targets):
    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    return [n for n in linear if n.split(".")[0] not in HEADS and any(n.endswith(f".{t}") for t in targets)]


def replace(model, name, module):
    parent = model
    *path, last = name.split(".")
    for part in path:
        parent = getattr(parent, part)
    setattr(parent, last, module)


def records_of(case):
    lengths = (3, 7, 16, 17, 30)
    records = []
    for n, length in enumerate(lengths):
        ids = [2] + [5 + (17 * (n + 1) + 29 * t * (t + n + 1)) % (VOCABULARY - 5) for t in range(length - 2)] + [3]
        types = [int(case.get("pairs", False) and n % 2 == 1 and t > length // 2) for t in range(length)]
        records.append((torch.tensor(ids), torch.tensor(types)))
    return records


def write_case(name, case, seed):
    folder = TARGET / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config = case["config"]
    model = case["model"](config)
    randomise(model, seed)
    for parameter in model.parameters():  # the values that the file holds
        parameter.data = ROUND[case["dtype"]](parameter.data).double()
    model = model.double()

    rename = case.get("rename", lambda n: n)
    stored = {rename(n): p.data for n, p in model.named_parameters() if n.split(".")[0] not in HEADS}
    stored.update(case.get("extra", {}))
    if case.get("shards"):
        names, weight_map = sorted(stored), {}
        for index in range(case["shards"]):
            file = f"model-{index + 1:05d}-of-{case['shards']:05d}.safetensors"
            part = {n: stored[n] for n in names[index :: case["shards"]]}
            write_safetensors(folder / file, part, case["dtype"])
            weight_map.update({n: file for n in part})
        index = {"metadata": {}, "weight_map": weight_map}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index) + "\n")
    else:
        write_safetensors(folder / "model.safetensors", stored, case["dtype"])
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "tokenizer.json").write_text(json.dumps(word_piece(WORDS)) + "\n")
    (folder / "tokenizer_config.json").write_text('{ "do_lower_case": true }\n')

    layers = adapted_layers(model, case["targets"])
    factors = []
    for index, layer in enumerate(layers):
        base = dict(model.named_modules())[layer]
        a = wave(2 * index, (RANK, base.in_features), AMPLITUDE_A)
        b = wave(2 * index + 1, (base.out_features, RANK), AMPLITUDE_B).requires_grad_()
        factors.append(b)
        replace(model, layer, Adapted(base, a, b))
    head = [(n, p) for n, p in model.named_parameters() if n.split(".")[0] in HEADS]
    for index, (_, parameter) in enumerate(head):
        parameter.data = wave(100 + index, parameter.shape, 0.5)
    trained = factors + [p for _, p in head]

    records = records_of(case)
    losses, norms, logits, gradients = [], [], [], []
    for (ids, types), label in zip(records, LABELS):
        output = model(ids, types)
        loss = F.cross_entropy(output[None], torch.tensor([label]))
        gradient = torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, trained)])
        losses.append(loss.item())
        norms.append(gradient.norm().item())
        logits.append(output.tolist())
        gradients.append(gradient)
    clip_norm = float(np.float32(sorted(norms)[len(norms) // 2] * 0.9))
    vectors = {
        "rank": RANK, "alpha": ALPHA, "classes": CLASSES, "featureScale": FEATURE_SCALE, "clipNorm": clip_norm,
        "amplitudes": {"a": AMPLITUDE_A, "b": AMPLITUDE_B, "head": 0.5},
        "targets": list(case["targets"]), "layers": layers, "head": [n for n, _ in head],
        "records": [{"tokenIds": i.tolist(), "typeIds": t.tolist(), "label": l} for (i, t), l in zip(records, LABELS)],
        "losses": losses, "norms": norms, "logits": logits,
    }
    (folder / "vectors.json").write_text(json.dumps(vectors) + "\n")
    (folder / "gradients.f32").write_bytes(torch.stack(gradients).numpy().astype("<f4").tobytes())
    print(name, "norms", [round(n, 3) for n in norms], "losses", [round(x, 3) for x in losses])


if __name__ == "__main__":
    for seed, (name, case) in enumerate(CASES.items()):
        write_case(name, case, seed)
