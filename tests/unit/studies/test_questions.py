import json
import typing

import pytest

from hodograph.errors import SettingsError
from hodograph.report.question_view import FIGURES
from hodograph.report.values import METRICS
from hodograph.studies.questions import Shown, Value
from hodograph.studies.record import write_study
from hodograph.studies.study import load_study

STUDY = """
name = "s"
[arms.a]
[arms.b]
[questions.first]
title = "First?"
values = ["accuracy"]
[questions.first.comparisons.x]
title = "X"
arms = ["b", "a"]
shows = ["size"]
"""


def study(tmp_path, text):
    path = tmp_path / "study.toml"
    path.write_text(text)
    return path


def test_questions_reach_study_json_in_order_over_extended_files(tmp_path):
    study(tmp_path, STUDY)
    over = tmp_path / "over.toml"
    over.write_text("""
        extends = ["study.toml"]
        name = "over"
        [questions.second]
        title = "Second?"
        claims = ["C1"]
        [questions.second.comparisons.y]
        title = "Y"
        arms = ["a"]
    """)
    write_study(load_study(over), over, [], tmp_path, {})
    recorded = json.loads((tmp_path / "study.json").read_text())
    assert recorded["command"] == f"hodograph study {over} --out {tmp_path}"
    assert recorded["redraw"] == f"hodograph report {tmp_path}"
    first, second = recorded["questions"]
    assert (first["name"], first["title"], first["values"]) == ("first", "First?", ["accuracy"])
    assert first["comparisons"] == [
        {"name": "x", "title": "X", "arms": ["b", "a"], "shows": ["size"]}
    ]
    assert (second["name"], second["claims"]) == ("second", ["C1"])
    assert second["values"][0] == "update_sparsity"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('["b", "a"]', '["b", "c"]', r"questions.first.comparisons.x.arms: 'c' is no arm"),
        ('"accuracy"', '"speed"', r"questions.first.values.0: input should be"),
        ('"size"', '"sizes"', r"questions.first.comparisons.x.shows.0: input should be"),
        ('["b", "a"]', "[]", r"questions.first.comparisons.x.arms: "),
    ],
)
def test_a_question_the_page_could_not_show_is_refused(tmp_path, old, new, said):
    with pytest.raises(SettingsError, match=said):
        load_study(study(tmp_path, STUDY.replace(old, new)))


def test_two_comparisons_of_one_title_are_refused(tmp_path):
    more = '[questions.first.comparisons.z]\ntitle = "X"\narms = ["a"]\n'
    with pytest.raises(SettingsError, match=r"z and questions.first.comparisons.x have one title"):
        load_study(study(tmp_path, STUDY + more))


def test_a_study_may_ask_for_what_the_page_can_draw():
    assert set(typing.get_args(Value)) == set(METRICS)
    assert set(typing.get_args(Shown)) == {"orderings", *FIGURES}
