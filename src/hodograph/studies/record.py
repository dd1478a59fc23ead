"""study.json: what was run, what each run reached, and where its measurement lies."""

from pathlib import Path
from shlex import join
from typing import Any

from hodograph.atomic import write_json
from hodograph.documents import UnreadableError, read_json
from hodograph.errors import StorageError
from hodograph.measurement import versions
from hodograph.studies.plan import StudyRun
from hodograph.studies.study import Study


def write_study(
    study: Study, study_file: Path, runs: list[StudyRun], out: Path, failures: dict[str, str]
) -> None:
    """Write study.json from the run folders; unfinished runs are listed with their failure."""
    write_json(
        out / "study.json",
        {
            "command": join(["hodograph", "study", str(study_file), "--out", str(out)]),
            "redraw": join(["hodograph", "report", str(out)]),
            "name": study.name,
            "description": study.description,
            "notes": list(study.notes),
            "seeds": list(study.seeds),
            "settings": study.measure.model_dump(mode="json"),
            "versions": versions(),
            "failures": failures,
            "questions": _questions(study),
            "runs": [
                _described(run, out) for run in runs if (run.folder / "finished.json").exists()
            ],
        },
    )


def measured_arms(folder: Path) -> set[str]:
    """Names of the arms of which a seed is measured, whether the study still has them or not."""
    return {path.parts[-3] for path in folder.glob("seed_*/*/measurement/summary.json")}


def _questions(study: Study) -> list[dict[str, Any]]:
    """The questions in order, their comparisons too: a list keeps what a mapping may lose."""
    return [
        {
            **question.model_dump(mode="json", exclude={"comparisons"}),
            "name": name,
            "comparisons": [
                {"name": key, **comparison.model_dump(mode="json")}
                for key, comparison in question.comparisons.items()
            ],
        }
        for name, question in study.questions.items()
    ]


def _described(run: StudyRun, out: Path) -> dict[str, Any]:
    finished = _read(run.folder / "finished.json")
    provenance = _read(run.folder / "provenance.json")
    recipe = _read(
        run.folder / "recipe.json"
    )  # what was trained; the study's file may have changed
    last = _read(run.folder / finished["final_checkpoint"] / "hodograph_step.json")
    measured = (run.measurement / "summary.json").exists()
    return {
        "name": run.name,
        "role": run.role,
        "seed": run.seed,
        "objective": recipe["objective"]["type"],
        "student": run.student,
        "teacher": run.teacher,
        "task": recipe["task"]["type"],
        "steps": finished["steps"],
        "learning_rate": recipe["optimizer"]["lr"],
        "learning_rate_sum": last["learning_rate_sum"],
        "w0_digest": provenance["w0_hash"],
        "accuracy": _accuracy(run.folder / "evaluations.json"),
        "folder": str(run.folder.relative_to(out)),
        "measurement": str(run.measurement.relative_to(out)) if measured else None,
        "gates": str(run.gates.relative_to(out)) if (run.gates / "gates.json").exists() else None,
    }


def _accuracy(path: Path) -> dict[str, Any]:
    """Accuracy before and after; empty where it was not evaluated."""
    evaluations: list[dict[str, Any]] = (_read(path) if path.exists() else []) or [{}]
    first, last = evaluations[0], evaluations[-1]
    first = first if first.get("step") == 0 else {}
    return {
        "start": first.get("accuracy"),
        "end": last.get("accuracy"),
        "standard_error": last.get("standard_error"),
        "greedy_start": first.get("greedy_accuracy"),
        "greedy_end": last.get("greedy_accuracy"),
    }


def _read(path: Path) -> Any:
    try:
        return read_json(path)
    except UnreadableError as error:
        raise StorageError(f"{path}: {error}.\n  Remove its run folder and train anew.") from error
