"""From a study folder with its claims to ledger.json, and back."""

import json

import pytest
from rich.console import Console

from hodograph.claims.declared import Claim, resolved
from hodograph.claims.ledger import write_ledger
from hodograph.claims.row import read_ledger
from hodograph.claims.standing import declare, read_declared
from hodograph.cli.ledger import print_ledger
from hodograph.errors import SettingsError, StorageError
from hodograph.studies.record import measured_arms
from hodograph.studies.study import load_study
from planted.measurement import write_study

ARMS = ("sft", "opd")


def claim(metric="relative_norm", arms=("opd", "sft"), **changed):
    part = {"type": "ordering", "metric": metric, "arms": arms} | changed
    return Claim.model_validate({"claim": "sft moves farthest", "paper": "4.70", "parts": [part]})


@pytest.fixture(scope="module")
def three_seeds(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("claims"), seeds=(0, 1, 2), arms=ARMS)


@pytest.fixture
def folder(three_seeds, tmp_path):
    """The same study, its claims not yet declared."""
    for path in three_seeds.iterdir():
        (tmp_path / path.name).symlink_to(path)
    return tmp_path


def test_a_planted_study_gets_its_ledger(folder):
    declare(folder, {"C10": claim(arms=("opd", "absent")), "C2": claim(),
                     "C2 reversed": claim(arms=("sft", "opd"))}, set())  # fmt: skip
    rows = write_ledger(folder)
    assert read_ledger(folder) == rows
    assert [(row.id, row.verdict) for row in rows] == [
        ("C2", "holds"),
        ("C2 reversed", "does not hold"),
        ("C10", "undetermined (absent was not trained)"),
    ]
    first = json.loads((folder / "ledger.json").read_text())[0]
    assert {"id", "claim", "paper", "ours", "interval", "null", "seeds", "verdict", "reason",
            "study"} <= first.keys()  # fmt: skip
    assert first["seeds"] == [0, 1, 2]
    assert first["study"] == "Planted study"
    assert first["arms"] == ["opd", "sft"]
    assert first["parts"][0]["declared"]["least"] == 0.1  # defaults are on record
    assert first["declared"] == "before measuring"


def test_the_terminal_has_a_line_a_claim(folder, capsys):
    declare(folder, {"C2": claim(), "C10": claim(arms=("opd", "absent"))}, set())
    print_ledger(Console(width=300), write_ledger(folder))
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split("|")[0].split() == ["C2", "holds"]
    # sizes 1 and 1.7 % x mean place 1.16 x mean seed 1.1
    assert "opd 1.28 %, sft 2.17 %" in lines[2]
    assert lines[3].split("|")[0].split()[:2] == ["C10", "undetermined"]
    print_ledger(Console(), ())
    assert capsys.readouterr().out == ""


def test_a_study_without_claims_has_no_ledger(folder):
    declare(folder, {}, set())
    assert not (folder / "claims.json").exists()
    assert write_ledger(folder) == read_ledger(folder) == ()
    (folder / "ledger.json").write_text("[]")  # of claims taken out before anything was measured
    write_ledger(folder)
    assert not (folder / "ledger.json").exists()


def test_thresholds_are_on_record_before_anything_is_measured(tmp_path):
    first, second = claim(least=0.1), claim(least=0.2)
    declare(tmp_path, {"C1": first}, set())
    declare(tmp_path, {"C1": second}, {"other"})
    assert read_declared(tmp_path)["C1"].declared == "before measuring"
    declare(tmp_path, {"C1": first, "C2": second}, {"sft"})
    record = read_declared(tmp_path)
    assert record["C1"].declared == "changed after measuring"
    assert record["C1"].first.claim == second
    assert record["C2"].declared == "after measuring"
    declare(tmp_path, {"C1": claim(least=0.3)}, {"sft"})
    assert read_declared(tmp_path)["C1"].first.claim == second  # the first form is kept
    declare(tmp_path, {"C1": second}, {"sft"})
    assert read_declared(tmp_path)["C1"].declared == "before measuring"


def test_other_words_for_the_same_test_change_nothing(tmp_path):
    declare(tmp_path, {"C1": claim()}, set())
    declare(tmp_path, {"C1": claim().model_copy(update={"claim": "another"})}, {"sft"})
    found = read_declared(tmp_path)["C1"]
    assert (found.declared, found.claim.claim) == ("before measuring", "another")


@pytest.mark.parametrize("when", [set(), {"opd"}])
def test_a_row_says_that_its_thresholds_came_late(folder, when):
    declare(folder, {"C2": claim()}, {"sft"})
    declare(folder, {"C2": claim(least=0.2)}, {"sft"} | when)
    (row,) = write_ledger(folder)
    assert row.declared == "changed after measuring"
    assert "thresholds were changed after arms of it had been measured" in row.reason


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("claims.json", "{", "not valid JSON"),
        ("claims.json", '{"C1": {"claim": {}}}', "Field required"),
        ("study.json", "[]", "valid dictionary"),
    ],
)
def test_files_that_cannot_be_read_are_named(folder, name, content, words):
    declare(folder, {"C2": claim()}, set())
    (folder / name).unlink()
    (folder / name).write_text(content)
    with pytest.raises(StorageError, match=words) as caught:
        write_ledger(folder)
    assert name in str(caught.value)


def test_a_damaged_ledger_and_table_are_named(folder, three_seeds):
    (folder / "ledger.json").write_text('[{"id": "C1"}]')
    with pytest.raises(StorageError, match=r"ledger\.json: 0\.claim"):
        read_ledger(folder)
    declare(folder, {"C2": claim()}, set())
    (folder / "seed_0").unlink()
    with pytest.raises(StorageError, match=r"matrices\.parquet cannot be read"):
        write_ledger(folder)


STUDY = """
name = "small"
[arms.a]
objective = { type = "sft" }
[arms.b]
objective = { type = "sft" }
[claims.C1]
claim = "a < b"
paper = "1, 2"
parts = [{ type = "ordering", metric = "nss", arms = ["a", "b"] }]
[claims."C1 reversed"]
like = "C1"
with = { a = "b", b = "a" }
"""


def load(tmp_path, text=STUDY):
    path = tmp_path / "study.toml"
    path.write_text(text)
    return load_study(path)


def test_a_claim_like_another_has_its_arms_replaced(tmp_path):
    claims = load(tmp_path).claims
    assert claims["C1 reversed"].parts[0].arms == ("b", "a")
    assert claims["C1 reversed"].paper == "1, 2"


def test_arms_that_are_keys_are_replaced_too():
    trend = {"type": "trend", "metric": "nss", "arms": {"nss": "up", "trend": "flat"}}
    found = resolved({"C6": {"parts": [trend]}, "C6 b": {"like": "C6", "with": {"nss": "x"}}})
    assert found["C6 b"]["parts"] == [{**trend, "arms": {"x": "up", "trend": "flat"}}]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('arms = ["a", "b"]', 'arms = ["a", "c"]', "claims.c1 names 'c', which is none of a, b"),
        ('like = "C1"', 'like = "C3"', "names none of c1"),
        ("with = {", "with = 3 #", "a table of arms is expected"),
        ('type = "ordering"', 'type = "order"', "does not match any of the expected tags"),
        ('metric = "nss"', 'metric = "loss"', "none of the metrics of claims"),
        ('paper = "1, 2"', "", "field required"),
        ('parts = [', 'bounds = 1\nparts = [', "extra inputs"),
    ],
)  # fmt: skip
def test_mistakes_in_claims_are_named(tmp_path, old, new, words):
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, STUDY.replace(old, new))
    assert words in str(caught.value).lower()
    assert "claims" in str(caught.value)


def test_a_claim_that_was_measured_stays_when_it_is_taken_out(folder):
    wrong, unmeasured = claim(arms=("sft", "opd")), claim(arms=("absent", "another"))
    declare(folder, {"C2": wrong, "C10": unmeasured}, set())
    for _ in range(2):  # taken out, and still out when the study goes on
        declare(folder, {}, measured_arms(folder))
        (row,) = write_ledger(folder)
        assert (row.id, row.verdict) == ("C2", "does not hold")
        assert row.declared == "withdrawn after measuring"
        assert row.reason.endswith("taken out of the study after arms of it had been measured")
    declare(folder, {"C2": claim()}, {"sft"})
    assert read_declared(folder)["C2"].declared == "changed after measuring"
    declare(folder, {}, {"sft"})
    declare(folder, {"C2": wrong}, {"sft"})
    assert read_declared(folder)["C2"].declared == "before measuring"
