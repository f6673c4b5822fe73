"""A frozen base too large for each GPU: its layers sharded over the processes (FSDP), the adapter on it as before.

Only what is frozen is sharded: a layer's weights are gathered when it is computed and let go afterwards. The adapter,
a hundredth of the size, is on every process whole and its gradients are averaged as always (DDP), so optimiser,
checkpoints and saving know nothing of it.
"""

import os
from typing import TYPE_CHECKING

from core.errors import ModelError
from retrieval.adapted import has_adapter

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import nn

_ASKED = "ACCELERATE_USE_FSDP"


def take_fsdp_request() -> bool:
    """Say whether `accelerate launch --use_fsdp` started this process, and take the request over.

    accelerate's own way shards everything at once, adapter and base in one type, and knows nothing of mining. It must
    not see its variable when a model is opened.
    """
    return os.environ.pop(_ASKED, "false").lower() in ("1", "true", "yes")


def is_sharded(model: "nn.Module") -> bool:
    """Say whether a model's base is sharded: then every process must take part in whatever it computes."""
    return bool(getattr(model, "_ddp_params_and_buffers_to_ignore", ()))


def shard_base(model: "SentenceTransformer", *, device: str) -> None:
    """Shard the frozen layers of an adapted encoder over all processes of the run.

    Args:
        model: An encoder with an adapter on a base in 16 or 32 bits, the same on every process, best on the CPU:
            layer after layer goes to the device, so that no GPU ever holds all of it. Changed.
        device: `cuda` or `cpu`; every process uses its own GPU.

    Raises:
        ModelError: There is no adapter (all weights would be trained), the base is in 4 bits, or the run has one
            process.
    """
    import torch
    from accelerate import PartialState
    from torch.distributed.device_mesh import DeviceMesh
    from torch.distributed.fsdp import fully_shard
    from torch.nn.parallel import DistributedDataParallel

    transformer = model.transformers_model
    if not has_adapter(model):
        raise ModelError("sharding (FSDP): expected an adapter on a frozen base (training.method lora), came none")
    if getattr(transformer, "is_loaded_in_4bit", False):
        raise ModelError(
            "sharding (FSDP): 4-bit weights cannot be sharded, and a base in 4 bits needs a quarter of the memory as "
            "it is; use training.method=lora with sharding, or qlora without (DDP)"
        )
    place = PartialState(cpu=device == "cpu")
    if place.num_processes < 2:
        raise ModelError("sharding (FSDP): expected several processes (torchrun, accelerate launch), came one")
    # A group of its own: layers are gathered while DDP averages gradients, and the two must not meet.
    group = torch.distributed.new_group(list(range(place.num_processes)))
    mesh = DeviceMesh.from_group(group, place.device.type)
    layers = set(transformer._no_split_modules or ())
    for module in list(transformer.modules()):
        if type(module).__name__ in layers:
            trained = {parameter for parameter in module.parameters() if parameter.requires_grad}
            # Let go after each use: otherwise a save, on the first process alone, would put it out of step with others.
            fully_shard(module, mesh=mesh, ignored_params=trained, reshard_after_forward=True)
            # Gathered once here: tensors first made by `encode`, in inference mode, could not be trained through.
            module.unshard()
            module.reshard()
    model.to(place.device)
    sharded = [
        name for name, parameter in model.named_parameters() if isinstance(parameter, torch.distributed.tensor.DTensor)
    ]
    if not sharded:
        raise ModelError(f"sharding (FSDP): {type(transformer).__name__} does not say which of its layers to shard")
    DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(model, sharded)  # type: ignore[no-untyped-call]
