"""What PyTorch itself writes: good files of every kind that should be read, and kinds that shouldn't."""

from dataclasses import replace

import torch
from safetensors.torch import save_file
from torch import nn

from networks import DENSE, UNITS, WIDTH, WORDS, Network, rows, save_probe, torch_logits, torch_module


def write(cases):
    network = Network("lstm", seed=11)
    module = torch_module(network)
    state = module.state_dict()

    def good(name, what, value, read=module, network=network, cut=False, save=torch.save):
        path = cases.good(name, what, cut=cut)
        save(value, path)
        ids, lengths = rows(network.seed)
        save_probe(path.with_name(f"{name}.npz"), ids, lengths, torch_logits(read, network, ids, lengths))

    good("pytorch-lstm.pt", "a state dict", state, cut=True)
    good("pytorch-lstm.safetensors", "a SafeTensors file", dict(state), cut=True, save=save_file)
    gru = replace(network, cell="gru", layers=2, directions=2, outputs=5)
    other = torch_module(gru)
    optimizer = torch.optim.Adam(other.parameters())
    checkpoint = {
        "epoch": 3,
        "model_state_dict": other.state_dict(),
        "optimizer_state_dict": optimizer.state_dict(),
        "loss": 0.5,
    }
    good("pytorch-checkpoint.pth", "a checkpoint", checkpoint, other, gru, cut=True)
    lightning = {
        "state_dict": state,
        "epoch": 1,
        "global_step": 7,
        "pytorch-lightning_version": "2.5.0",
        "hyper_parameters": {"lr": 1e-3},
    }
    good("pytorch-lightning.ckpt", "a checkpoint as Lightning writes", lightning)
    for kind in (torch.float16, torch.bfloat16, torch.float64):
        name = str(kind).removeprefix("torch.")
        rounded = torch_module(network).to(kind)
        numbers = rounded.state_dict()
        good(f"pytorch-{name}.pt", f"a state dict of {name}", numbers, rounded.float())
        good(f"pytorch-{name}.safetensors", f"a SafeTensors file of {name}", numbers, rounded, save=save_file)
    good(
        "pytorch-data-parallel.pt",
        "a state dict of DataParallel: all names begin with module.",
        prefixed(state, "module."),
    )
    good(
        "pytorch-compiled.pt",
        "a state dict of torch.compile: all names begin with _orig_mod.",
        prefixed(state, "_orig_mod."),
    )
    good("pytorch-parameters.pt", "a state dict of parameters, not tensors", dict(module.named_parameters()))
    together = {name: tensor for name, tensor in zip(state, sharing(state))}
    good("pytorch-one-storage.pt", "a state dict whose tensors are parts of one storage", together)

    torch.save(
        nn.ModuleDict(dict(module.named_children())),
        cases.either("pytorch-whole-model.pt", "a whole model (torch.save(model))"),
    )
    torch.save(
        state,
        cases.hostile("pytorch-legacy.pt", "a state dict as before PyTorch 1.6, no zip"),
        _use_new_zipfile_serialization=False,
    )
    for name, what, value in (
        ("tensor", "one tensor", state["embedding.weight"]),
        ("sparse", "a sparse embedding", state | {"embedding.weight": state["embedding.weight"].to_sparse()}),
        (
            "meta",
            "a state dict of tensors without numbers (device meta)",
            {key: tensor.to("meta") for key, tensor in state.items()},
        ),
        ("optimizer", "the state of an optimizer alone", optimizer.state_dict()),
        ("quantised", "a quantised weight", state | {"dense.weight": quantised(state["dense.weight"])}),
        ("numpy", "a state dict of NumPy arrays", {key: tensor.numpy() for key, tensor in state.items()}),
    ):
        torch.save(value, cases.hostile(f"pytorch-of-{name}.pt", what))
    projected = nn.ModuleDict(
        {"embedding": nn.Embedding(WORDS, WIDTH), "lstm": nn.LSTM(WIDTH, UNITS, proj_size=2), "output": nn.Linear(2, 1)}
    )
    torch.save(projected.state_dict(), cases.hostile("pytorch-of-projections.pt", "an LSTM with proj_size"))
    transformer = nn.ModuleDict(
        {
            "embedding": nn.Embedding(WORDS, 4),
            "encoder": nn.TransformerEncoderLayer(4, 2, DENSE),
            "output": nn.Linear(4, 1),
        }
    )
    torch.save(transformer.state_dict(), cases.hostile("pytorch-of-transformer.pt", "a transformer"))
    unbiased = nn.ModuleDict(
        {
            "embedding": nn.Embedding(WORDS, WIDTH),
            "lstm": nn.LSTM(WIDTH, UNITS, bias=False),
            "output": nn.Linear(UNITS, 1),
        }
    )
    torch.save(unbiased.state_dict(), cases.either("pytorch-of-no-biases.pt", "an LSTM with bias=False"))


def prefixed(state, prefix):
    return {prefix + name: tensor for name, tensor in state.items()}


def sharing(state):
    flat = torch.cat([tensor.flatten() for tensor in state.values()])
    for tensor, part in zip(state.values(), flat.split([tensor.numel() for tensor in state.values()])):
        yield part.view(tensor.shape)


def quantised(tensor):
    return torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8)
