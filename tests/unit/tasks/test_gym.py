"""Reasoning-gym through the task interface."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from hodograph.errors import SettingsError
from hodograph.recipes import ReasoningGymTask, load_recipe
from hodograph.tasks import Completion, open_task

RECIPES = Path(__file__).parents[3] / "examples/recipes"
WORKED = [  # as models answer; {} is the answer, the other numbers lead to it
    "Step 1: we start with 64. Then 64 + 7 = 71. So the total is {}. **Answer: {}**",
    "There are 3 * 4 = 12 of them.\n\nThe final answer is $\\boxed{{{}}}$.",
    "<think>\n\n</think>\n\n12 apples cost 40.\n\n$$\n\\boxed{{{}}}\n$$",
    "<think>Is it 5? No, 6.</think> \\boxed{{{}}}",
    "\\[ 4 \\times 5 = 20 \\]\n\\[ \\boxed{{{}\\text{{ dollars}}}} \\]",
    "First 3, then 5 more make 8. The answer is {}.",
]


def gym(**changes: object) -> ReasoningGymTask:
    config = {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1}
    settings = {"type": "reasoning_gym", "dataset": "chain_sum", "config": config} | changes
    return ReasoningGymTask.model_validate(settings)


def test_the_data_sets_own_verifier_judges_its_own_answers() -> None:
    task = open_task(gym())
    for example in task.training(seed=1, count=5):
        assert task.score(Completion(f" {example.demonstration}\n", finished=True), example) == 1.0
        assert task.score(Completion("no idea", finished=True), example) < 0.1


def test_neighbouring_seeds_share_no_questions_at_shifted_indices() -> None:
    task = open_task(gym(config={"min_terms": 4, "max_terms": 6, "min_digits": 3, "max_digits": 4}))
    first, second = ({str(e.prompt) for e in task.training(seed, 30)} for seed in (0, 1))
    assert first.isdisjoint(second)
    assert first.isdisjoint(str(e.prompt) for e in task.evaluation(0, 30))


def test_a_system_message_opens_the_conversation() -> None:
    example = open_task(gym(system="Answer with a number.")).training(0, 1)[0]
    assert [m["role"] for m in example.prompt] == ["system", "user"]
    assert example.prompt[0]["content"] == "Answer with a number."


def test_a_plain_question_ends_with_a_line_break() -> None:
    plain = open_task(gym(chat=False)).training(seed=3, count=4)
    asked = open_task(gym()).training(seed=3, count=4)
    assert [e.prompt for e in plain] == [f"{e.prompt[0]['content']}\n" for e in asked]
    with pytest.raises(ValidationError, match="system is a message of a chat"):
        gym(chat=False, system="Be brief.")


def test_noise_shows_answers_to_other_questions_in_its_share() -> None:
    clean = open_task(gym()).training(seed=5, count=400)
    noisy = open_task(gym(noise=0.4)).training(seed=5, count=400)
    assert [e.prompt for e in noisy] == [e.prompt for e in clean]
    assert [e.key for e in noisy] == [e.key for e in clean]  # the verifier is not fooled
    wrong = [a.demonstration for a, b in zip(noisy, clean, strict=True)
             if a.demonstration != b.demonstration]  # fmt: skip
    assert len(wrong) / 400 == pytest.approx(0.4, abs=0.1)  # some answers are alike
    assert all(answer.lstrip("-").isdigit() for answer in wrong)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dataset": "chain_summ"}, "'chain_summ' not registered"),
        ({"config": {"depth": 3}}, "unexpected keyword argument 'depth'"),
        ({"config": {"min_terms": 5, "max_terms": 2}}, "cannot be opened"),
    ],
)
def test_an_unknown_data_set_or_setting_is_named(changes: dict, words: str) -> None:
    with pytest.raises(SettingsError, match=r"^task\.dataset ") as caught:
        open_task(gym(**changes))
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["qwen3_opd", "qwen3_rlvr"])
def test_the_recipes_at_real_scale_reward_answers_that_are_worked_out(name: str) -> None:
    task = open_task(load_recipe(RECIPES / f"{name}.toml").task)
    examples = task.training(0, 6)
    assert "\\boxed{}" in examples[0].prompt[0]["content"]
    for example in examples:
        right, wrong = example.demonstration, str(float(example.demonstration) + 1)
        for text in WORKED:
            for answer, score in ((right, 1.0), (wrong, 0.0)):
                said = Completion(text.format(answer, answer), finished=True)
                assert task.score(said, example) == score, said.text
        unfinished = Completion(f"<think>It may be {right}", finished=False)
        assert task.score(unfinished, example) == 0.0


def test_the_data_sets_own_verifier_takes_the_first_number_of_a_worked_answer() -> None:
    task = open_task(gym(dataset="gsm_symbolic", config={}))
    example = task.training(0, 1)[0]
    answer = example.demonstration
    assert task.score(Completion(f"It is {answer}.", finished=True), example) == 1.0
    assert task.score(Completion(f"64000 first. It is {answer}.", finished=True), example) < 0.1


def test_math_verify_judges_numbers_and_formulas_alone() -> None:
    task = open_task(gym(dataset="syllogism", config={}, verifier="math_verify"))
    with pytest.raises(SettingsError, match=r"no number or formula in the answer '(Yes|No)'"):
        task.training(0, 1)
