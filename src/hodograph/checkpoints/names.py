"""Prefixes that trainers, compilers, adapters and multimodal models put before a stored name."""

WRAPPERS = (
    "module.", "_orig_mod.", "base_model.model.", "language_model.", "model.", "transformer.",
    "bert.", "roberta.", "gpt_neox.",
)  # fmt: skip


def unwrapped(name: str) -> str:
    """The name without the prefixes that trainers, compilers and adapters put before it."""
    while prefix := next((p for p in WRAPPERS if name.startswith(p)), None):
        name = name.removeprefix(prefix)
    return name
