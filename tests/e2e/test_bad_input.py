"""Every bad input of the corpus ends in one clear message, exit code 2, in time and in bounds."""

import shutil
from collections import Counter

import pytest

from planted.corpus import checkpoint, checkpoints, options, results, texts, weights
from planted.corpus.checkpoints import CANARY
from planted.corpus.running import refused, run

CHECKPOINTS = list(checkpoints.cases())
WEIGHTS = list(weights.cases())
RECIPES = list(texts.recipes())
STUDIES = list(texts.studies())
MEASUREMENTS = list(results.measurements())
STUDY_FOLDERS = list(results.studies())


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    return checkpoint(folder / "base"), checkpoint(folder / "step_3", seed=1)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    return results.measured(tmp_path_factory.mktemp("measured"))


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    return results.studied(tmp_path_factory.mktemp("studied"))


@pytest.mark.parametrize("bad", CHECKPOINTS, ids=lambda bad: bad.id)
def test_a_bad_checkpoint(bad, sound, tmp_path, capsys):
    base, tuned = sound
    (tmp_path / "x").mkdir()
    path = bad.build(tmp_path / "x")
    out = tmp_path / "out"
    for arguments in (
        ("measure", base, path, "--out", out),
        ("compare", base, tuned, path, "--out", out),
        ("diff", base, path),
        ("inspect", path),
    ):
        message = refused(capsys, *arguments)
        assert str(path)[:40] in message
    assert not out.exists()
    assert not list(tmp_path.rglob(CANARY))


@pytest.mark.parametrize("bad", WEIGHTS, ids=lambda bad: bad.id)
def test_weights_that_cannot_be_measured(bad, sound, tmp_path, capsys):
    base, _ = sound
    path = bad.build(tmp_path)
    out = tmp_path / "out"
    message = refused(capsys, "measure", base, path, "--out", out, "--scope", "all")
    assert "\x1b" not in message
    assert not (out / "summary.json").exists()
    refused(capsys, "measure", path, base, "--out", out, "--scope", "all")
    assert run(capsys, "inspect", path)[0] == 0  # it is what it is


@pytest.mark.parametrize("bad", RECIPES, ids=lambda bad: bad.id)
def test_a_bad_recipe(bad, tmp_path, capsys):
    path = bad.build(tmp_path)
    assert str(path)[:40] in refused(capsys, "train", path, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("bad", STUDIES, ids=lambda bad: bad.id)
def test_a_bad_study(bad, tmp_path, capsys):
    path = bad.build(tmp_path)
    assert str(path)[:40] in refused(capsys, "study", path, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("bad", MEASUREMENTS, ids=lambda bad: bad.id)
def test_a_bad_measurement_folder(bad, measured, tmp_path, capsys):
    folder = shutil.copytree(measured, tmp_path / "measured")
    bad.build(folder)
    if bad.name not in results.ONLY_PLACED:
        assert str(folder) in refused(capsys, "report", folder)
        assert not (folder / "report.html").exists()
    if bad.name not in results.ONLY_REPORTED:
        assert str(folder) in refused(capsys, "place", folder)


@pytest.mark.parametrize("bad", STUDY_FOLDERS, ids=lambda bad: bad.id)
def test_a_bad_study_folder(bad, studied, tmp_path, capsys):
    folder = shutil.copytree(studied, tmp_path / "studied")
    bad.build(folder)
    refused(capsys, "report", folder)
    assert not (folder / "report.html").exists()


@pytest.mark.parametrize("line", options.OPTIONS, ids=lambda line: " ".join(line)[:60])
def test_a_bad_command_line(line, sound, tmp_path, capsys):
    places = {"BASE": sound[0], "TUNED": sound[1], "OUT": tmp_path / "out"}
    refused(capsys, *(places.get(word, word) for word in line))
    assert not (tmp_path / "out").exists()


def test_the_corpus_is_as_large_as_it_says():
    everything = [*CHECKPOINTS, *WEIGHTS, *RECIPES, *STUDIES, *MEASUREMENTS, *STUDY_FOLDERS]
    print(*sorted(Counter(bad.kind for bad in everything).items()), len(options.OPTIONS), sep="\n")
    assert len({bad.id for bad in everything}) == len(everything) >= 150
