"""From a stored tensor's name to its layer, module and expert.

One table of patterns, tried in order. Modules carry Llama's names whatever the architecture,
so that a GPT-2 c_fc and a Llama up_proj stand in one row of a heat map.
"""

import re
from dataclasses import dataclass
from typing import Literal

from hodograph.checkpoints.names import unwrapped
from hodograph.modules import LATENT, LINEAR

Fusion = Literal["none", "thirds", "heads", "qkv", "gate_up"]
RENAMED = (  # by transformers in version 5: Mixtral's experts, GPT-NeoX's head
    (re.compile(r"^embed_out\.weight$"), "lm_head.weight"),
    (re.compile(r"\.block_sparse_moe\."), ".mlp."),
    (re.compile(r"(\.mlp\.experts\.\d+)\.w1\."), r"\1.gate_proj."),
    (re.compile(r"(\.mlp\.experts\.\d+)\.w2\."), r"\1.down_proj."),
    (re.compile(r"(\.mlp\.experts\.\d+)\.w3\."), r"\1.up_proj."),
)


@dataclass(frozen=True)
class Role:
    """Where a stored tensor sits in the model.

    Attributes:
        layer: index of its transformer layer, or None outside the layers.
        module: canonical module; for a fused tensor the modules are those of its parts.
        expert: index of its expert, or None in a dense layer.
        fusion: how several matrices lie in it.
        transposed: stored as (in, out), as GPT-2's Conv1D does.
    """

    layer: int | None
    module: str
    expert: int | None = None
    fusion: Fusion = "none"
    transposed: bool = False


@dataclass(frozen=True)
class _Rule:
    pattern: re.Pattern[str]
    modules: dict[str, str]
    fusion: Fusion = "none"
    transposed: bool = False


def _rule(
    pattern: str, modules: dict[str, str], fusion: Fusion = "none", *, transposed: bool = False
) -> _Rule:
    return _Rule(re.compile(rf"(?:^|\.){pattern}\.weight$"), modules, fusion, transposed)


_PROJECTIONS = {name: name for name in LINEAR}
_LAYER = r"(?:layers|layer|h|blocks)\.(?P<layer>[0-9]{1,6})\."
_RULES = (
    _rule(_LAYER + r"(?:self_attn|attention)\.(?P<key>[qkvo]_proj)", _PROJECTIONS),
    _rule(
        _LAYER + r"self_attn\.(?P<key>q_a_proj|q_b_proj|kv_a_proj_with_mqa|kv_b_proj)",
        {name: name for name in LATENT} | {"kv_a_proj_with_mqa": "kv_a_proj"},
    ),
    _rule(
        _LAYER + r"attention\.(?P<key>query_key_value)",
        {"query_key_value": "query_key_value"},
        "heads",
    ),
    _rule(
        _LAYER + r"(?P<key>attention\.dense|mlp\.dense_h_to_4h|mlp\.dense_4h_to_h)",
        {
            "attention.dense": "o_proj",
            "mlp.dense_h_to_4h": "up_proj",
            "mlp.dense_4h_to_h": "down_proj",
        },
    ),
    _rule(_LAYER + r"self_attn\.(?P<key>qkv_proj)", {"qkv_proj": "qkv_proj"}, "qkv"),
    _rule(_LAYER + r"mlp\.(?P<key>gate_up_proj)", {"gate_up_proj": "gate_up_proj"}, "gate_up"),
    _rule(
        _LAYER + r"mlp\.(?:shared_experts?\.)?(?P<key>gate_proj|up_proj|down_proj)", _PROJECTIONS
    ),
    _rule(
        _LAYER + r"mlp\.experts\.(?P<expert>[0-9]{1,6})\.(?P<key>gate_proj|up_proj|down_proj)",
        _PROJECTIONS,
    ),
    _rule(
        _LAYER + r"block_sparse_moe\.experts\.(?P<expert>[0-9]{1,6})\.(?P<key>w[123])",
        {"w1": "gate_proj", "w2": "down_proj", "w3": "up_proj"},
    ),
    _rule(_LAYER + r"attn\.(?P<key>c_attn)", {"c_attn": "c_attn"}, "thirds", transposed=True),
    _rule(
        _LAYER + r"(?P<key>attn\.c_proj|mlp\.c_fc|mlp\.c_proj)",
        {"attn.c_proj": "o_proj", "mlp.c_fc": "up_proj", "mlp.c_proj": "down_proj"},
        transposed=True,
    ),
    _rule(
        _LAYER + r"(?P<key>attention\.self\.(?:query|key|value)|attention\.output\.dense"
        r"|intermediate\.dense|output\.dense)",
        {
            "attention.self.query": "q_proj",
            "attention.self.key": "k_proj",
            "attention.self.value": "v_proj",
            "attention.output.dense": "o_proj",
            "intermediate.dense": "up_proj",
            "output.dense": "down_proj",
        },
    ),
)
_TOWER = re.compile(r"(?:^|\.)(?:vision_tower|vision_model|visual|audio_tower|audio_model)\.")
_ROUTER = re.compile(_LAYER + r"(?:mlp|block_sparse_moe)\.(?:gate|router)\.weight")
_ANY_LAYER = re.compile(r"(?:^|\.)" + _LAYER)


def canonical(name: str) -> str:
    """The one name of a parameter: unwrapped, and as transformers names it today."""
    name = unwrapped(name).replace(".base_layer.", ".")
    for old, new in RENAMED:
        name = old.sub(new, name)
    return name


def in_tower(name: str) -> bool:
    """Whether a tensor belongs to the vision or audio encoder of a multimodal model."""
    return bool(_TOWER.search(name))


def role_of(name: str) -> Role:
    """Where the tensor of this stored name sits; module is its own last name where unknown.

    Tensors of a vision or audio tower are in no layer of the language model.
    """
    name = unwrapped(name)
    if in_tower(name):
        return Role(None, name.removesuffix(".weight"))
    for rule in _RULES:
        if match := rule.pattern.search(name):
            groups = match.groupdict()
            expert = groups.get("expert")
            return Role(
                layer=int(groups["layer"]),
                module=rule.modules[groups["key"]],
                expert=None if expert is None else int(expert),
                fusion=rule.fusion,
                transposed=rule.transposed,
            )
    match = _ANY_LAYER.search(name)
    layer = int(match.group("layer")) if match else None
    if _ROUTER.search(name):
        return Role(layer, "router")
    kind = name.removesuffix(".weight").rsplit(".", 1)[-1]
    return Role(layer, kind)
