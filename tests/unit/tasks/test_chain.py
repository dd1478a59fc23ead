"""The chain task against an independent evaluation by Python's own arithmetic."""

import re
from collections import Counter
from itertools import pairwise

import pytest

from hodograph.recipes import ChainMixtureTask, ChainTask
from hodograph.tasks import Completion, open_task
from hodograph.tasks.alphabet import chain_tokenizer
from hodograph.tasks.mixture import text_length


def running_values(prompt: str) -> list[int]:
    """Left to right, each value reduced modulo 10, by `eval` of one operation at a time."""
    first, *operations = re.findall(r"[+*-]?\d", prompt)
    values, value = [], int(first)
    for operation in operations:
        value = eval(f"({value}){operation}") % 10
        values.append(value)
    return values


def test_prompts_have_sixteen_characters_and_clean_demonstrations_are_right() -> None:
    task = open_task(ChainTask(type="chain"))
    for example in task.training(seed=3, count=200):
        assert len(example.prompt) == 16
        assert example.prompt.endswith("=")
        values = running_values(example.prompt)
        assert example.demonstration == ",".join(map(str, values)) + "$"
        assert task.score(Completion(example.demonstration[:-1], finished=True), example) == 1.0


def test_longer_chains_have_longer_prompts_of_one_length() -> None:
    task = open_task(ChainTask(type="chain", min_terms=8, max_terms=16))
    examples = task.training(seed=3, count=100)
    assert {len(example.prompt) for example in examples} == {32}
    assert {len(running_values(example.prompt)) for example in examples} == set(range(7, 16))
    mixture = ChainMixtureTask(type="chain_mixture", min_terms=8, max_terms=16)
    texts = [example.demonstration for example in open_task(mixture).training(0, 200)]
    assert 56 < max(map(len, texts)) <= text_length(16) == 62
    with pytest.raises(ValueError, match="less than or equal to 32"):
        ChainTask(type="chain", max_terms=33)


def test_a_seed_names_the_same_problems_in_every_version() -> None:
    noisy = open_task(ChainTask(type="chain", noise=0.15)).training(seed=3, count=2)
    assert [example.prompt for example in noisy] == ["9-4*2+6        =", "8+2*2+2*4+5*2  ="]


def test_the_last_value_alone_decides_and_an_unfinished_answer_scores_nothing() -> None:
    task = open_task(ChainTask(type="chain"))
    example = task.evaluation(seed=0, count=1)[0]
    answer = running_values(example.prompt)[-1]
    assert task.score(Completion(f"9,9,{answer}", finished=True), example) == 1.0
    assert task.score(Completion(f"9,9,{answer}", finished=False), example) == 0.0
    assert task.score(Completion(f"9,9,{(answer + 1) % 10}", finished=True), example) == 0.0
    assert task.score(Completion("", finished=True), example) == 0.0


def test_noise_replaces_values_at_its_rate_and_carries_on_consistently() -> None:
    noise, slips, total = 0.15, 0, 0
    task = open_task(ChainTask(type="chain", noise=noise))
    for example in task.training(seed=0, count=2000):
        shown = [int(v) for v in example.demonstration[:-1].split(",")]
        operations = re.findall(r"[+*-]\d", example.prompt)
        before = [int(example.prompt[0]), *shown]
        for value, left, operation in zip(shown, before, operations, strict=False):
            slips += value != eval(f"({left}){operation}") % 10
            total += 1
    expected = noise * 0.9  # a replacement hits the right digit one time in ten
    assert slips / total == pytest.approx(expected, abs=4 * (expected / total) ** 0.5)


def test_a_share_of_the_demonstrations_writes_arrows_and_is_judged_alike() -> None:
    commas, arrows = (
        open_task(ChainTask(type="chain", arrows=share)).training(seed=2, count=1000)
        for share in (0.0, 0.3)
    )
    with_arrows = [example for example in arrows if ">" in example.demonstration]
    assert len(with_arrows) / 1000 == pytest.approx(0.3, abs=4 * (0.21 / 1000) ** 0.5)
    task = open_task(ChainTask(type="chain"))
    for example in with_arrows:
        assert task.score(Completion(example.demonstration[:-1], finished=True), example) == 1.0
    plain = [example.demonstration.replace(">", ",") for example in arrows]
    assert plain == [example.demonstration for example in commas]  # the same problems


def test_a_mixture_hands_its_share_of_arrows_to_the_demonstrations() -> None:
    settings = ChainMixtureTask(type="chain_mixture", demonstrations=0.5, arrows=1.0)
    chains = [e for e in open_task(settings).training(seed=0, count=100) if e.prompt]
    assert chains
    assert all("," not in example.demonstration for example in chains)


def test_examples_depend_on_the_seed_and_the_index_alone() -> None:
    task = open_task(ChainTask(type="chain"))
    assert task.training(1, 20)[:5] == task.training(1, 5)
    assert task.training(1, 5) != task.training(2, 5)
    assert task.training(1, 5) != task.evaluation(1, 5)


def test_evaluation_prompts_do_not_change_with_the_noise_of_training() -> None:
    clean, noisy = (open_task(ChainTask(type="chain", noise=n)) for n in (0.0, 0.15))
    assert [e.prompt for e in clean.evaluation(7, 9)] == [e.prompt for e in noisy.evaluation(7, 9)]


def test_the_mixture_states_true_facts_and_holds_its_share_of_demonstrations() -> None:
    task = open_task(ChainMixtureTask(type="chain_mixture", demonstrations=0.25))
    examples = task.training(seed=0, count=2000)
    demonstrations = [e for e in examples if e.prompt]
    assert len(demonstrations) / 2000 == pytest.approx(0.25, abs=0.04)
    drills = Counter()
    for example in (e for e in examples if not e.prompt):
        assert len(example.demonstration) <= text_length(8) == 30
        assert example.demonstration.endswith("$")
        for drill in example.demonstration[:-1].split("$"):
            drills[_check(drill)] += 1
    assert set(drills) == {"fact", "copy", "reverse", "count", "chain"}
    assert max(drills, key=drills.__getitem__) == "fact"


def _check(drill: str) -> str:
    """Assert that a drill is true and name its kind."""
    if match := re.fullmatch(r"c(\d{6})>(\d{6})", drill):
        assert match[1] == match[2]
        return "copy"
    if match := re.fullmatch(r"r(\d{6})>(\d{6})", drill):
        assert match[1] == match[2][::-1]
        return "reverse"
    if "=" not in drill:
        values = [int(v) for v in drill.split(",")]
        assert all((b - a) % 10 == 1 for a, b in pairwise(values))
        return "count"
    problem, answer = drill.split("=")
    assert running_values(problem)[-1] == int(answer)
    return "fact" if len(problem) == 3 else "chain"


def test_every_character_is_one_token_and_the_tokenizer_reads_back_what_it_wrote() -> None:
    tokenizer = chain_tokenizer()
    task = open_task(ChainMixtureTask(type="chain_mixture", demonstrations=0.5))
    assert len(tokenizer) == 24
    for example in task.training(seed=0, count=50):
        text = example.prompt + example.demonstration
        ids = tokenizer(text)["input_ids"]
        assert len(ids) == len(text)
        assert ids[-1] == tokenizer.eos_token_id
        assert tokenizer.pad_token_id not in ids
        assert tokenizer.decode(ids, skip_special_tokens=True) == text.replace("$", "")
