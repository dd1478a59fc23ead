"""On-policy distillation in one file of plain PyTorch: no trainer, no configuration.

Run it with `python examples/minimal_opd.py` (about a minute on one core). A teacher learns the
running chain modulo 10 (`7+5*9-8   =` is answered `2,8,0$`) from right demonstrations, a student
from demonstrations with slips. Then the student answers, the teacher scores every token of the
answers, and the student is moved towards what the teacher finds likelier.

The library does the same through TRL; tests/equivalence/test_minimal_opd.py holds the two equal.

Shapes: B answers, P prompt tokens, T answer tokens, S = P + T, V vocabulary.
"""

from random import Random

import torch
from torch import Tensor, nn
from transformers import Qwen3Config, Qwen3ForCausalLM

from hodograph.tasks.alphabet import chain_tokenizer
from hodograph.tasks.arithmetic import demonstrated, draw_chain

ANSWER_LENGTH = 14  # seven digits, six commas and the end
TOKENIZER = chain_tokenizer()
END, PAD = TOKENIZER.eos_token_id, TOKENIZER.pad_token_id


def small_model(hidden_size: int, layers: int) -> Qwen3ForCausalLM:
    """Return a random Qwen3 for the 24 tokens of the chain alphabet."""
    config = Qwen3Config(
        vocab_size=len(TOKENIZER),
        hidden_size=hidden_size,
        intermediate_size=2 * hidden_size,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=hidden_size // 4,
        tie_word_embeddings=True,
        initializer_range=0.08,
        pad_token_id=PAD,
        eos_token_id=END,
        bos_token_id=None,
    )
    return Qwen3ForCausalLM(config)


def problems(random: Random, count: int, noise: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
    """Draw prompts (B x P), demonstrations padded to B x T, and right answers (B)."""
    chains = [draw_chain(random, 4, 8) for _ in range(count)]
    prompts_BP = encode([chain.prompt for chain in chains])
    shown_BT = encode([demonstrated(chain, random, noise, arrows=0) for chain in chains])
    return prompts_BP, shown_BT, encode([str(chain.values[-1]) for chain in chains])[:, 0]


def encode(texts: list[str]) -> Tensor:
    """Return token ids, padded on the right to the longest text."""
    return TOKENIZER(texts, padding=True, padding_side="right", return_tensors="pt")["input_ids"]


@torch.no_grad()
def sample(model: nn.Module, prompts_BP: Tensor) -> Tensor:
    """Draw an answer to each prompt at temperature 1: B x S, padded after the end."""
    ids_BS, alive_B = prompts_BP, torch.ones(len(prompts_BP), dtype=torch.bool)
    for _ in range(ANSWER_LENGTH):
        logits_BV = model(input_ids=ids_BS).logits[:, -1]
        drawn_B = torch.multinomial(logits_BV.softmax(-1), 1)[:, 0]
        drawn_B = torch.where(alive_B, drawn_B, PAD)
        ids_BS = torch.cat([ids_BS, drawn_B[:, None]], dim=1)
        alive_B = alive_B & (drawn_B != END)
        if not alive_B.any():
            break
    return ids_BS


def answer_logps(model: nn.Module, ids_BS: Tensor, prompt_length: int) -> Tensor:
    """Return log p(a_t) of every answer token, B x T."""
    logps_BSV = model(input_ids=ids_BS[:, :-1]).logits.log_softmax(-1)
    logps_BS = logps_BSV.gather(2, ids_BS[:, 1:, None])[..., 0]
    return logps_BS[:, prompt_length - 1 :]


def through_end(answers_BT: Tensor) -> Tensor:
    """Return 1 for the tokens of each answer up to its end, and 0 after it."""
    ends_BT = (answers_BT == END).int()
    return (ends_BT.cumsum(1) - ends_BT == 0).float()


def step(model: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """Take one optimizer step, with the gradient clipped to norm 1."""
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


def distill(
    student: nn.Module, teacher: nn.Module, optimizer: torch.optim.Optimizer, ids_BS: Tensor, p: int
) -> float:
    """Take one step of on-policy distillation on the student's own answers; return the gap.

    The advantage of token a_t is -r_t, with r_t = log p_student(a_t) - log p_teacher(a_t), and
    the loss is the mean of r_t log p_student(a_t) over answer tokens, r_t held fixed. Its mean
    over tokens estimates the reverse Kullback-Leibler divergence, in nats a token.
    """
    mask_BT = through_end(ids_BS[:, p:])
    student_logps_BT = answer_logps(student, ids_BS, p)
    with torch.no_grad():
        gap_BT = (student_logps_BT - answer_logps(teacher, ids_BS, p)) * mask_BT
    step(student, optimizer, (gap_BT * student_logps_BT).sum() / mask_BT.sum())
    return float(gap_BT.sum() / mask_BT.sum())


def imitate(model: nn.Module, steps: int, noise: float) -> None:
    """Train on demonstrations: cross-entropy of the answer tokens."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, betas=(0.9, 0.98), weight_decay=0)
    random = Random(0)
    for _ in range(steps):
        prompts_BP, shown_BT, _ = problems(random, 64, noise)
        logps_BT = answer_logps(model, torch.cat([prompts_BP, shown_BT], dim=1), 16)
        mask_BT = through_end(shown_BT)
        step(model, optimizer, -(logps_BT * mask_BT).sum() / mask_BT.sum())


def accuracy(model: nn.Module) -> float:
    """Share of sampled answers that end, and end in the right value."""
    prompts_BP, _, right_B = problems(Random(1), 512)
    answers_BT = sample(model, prompts_BP)[:, 16:]
    last_B = (answers_BT == END).int().argmax(dim=1) - 1
    found_B = answers_BT.gather(1, last_B.clamp(min=0)[:, None])[:, 0]
    return float((((answers_BT == END).any(dim=1)) & (found_B == right_B)).float().mean())


def main() -> None:
    """Make a teacher and a student, then distill."""
    torch.manual_seed(0)
    teacher, student = small_model(96, 3), small_model(64, 2)
    imitate(teacher, steps=300, noise=0.0)
    imitate(student, steps=300, noise=0.15)
    print(f"teacher {accuracy(teacher):.3f}, student {accuracy(student):.3f}")
    optimizer = torch.optim.AdamW(student.parameters(), lr=5e-4, betas=(0.9, 0.98), weight_decay=0)
    random = Random(2)
    for number in range(1, 41):
        prompts_BP = problems(random, 8)[0].repeat_interleave(8, dim=0)
        gap = distill(student, teacher, optimizer, sample(student, prompts_BP), 16)
        if number % 10 == 0:
            print(f"step {number}: gap {gap:.3f} nats a token, student {accuracy(student):.3f}")


if __name__ == "__main__":
    main()
