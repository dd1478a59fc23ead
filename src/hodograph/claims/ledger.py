"""The ledger of claims: every claim of a study judged, written as `ledger.json`."""

import re
from collections.abc import Sequence
from pathlib import Path

from hodograph.atomic import write_json
from hodograph.claims.declared import Claim
from hodograph.claims.evidence import Evidence, read_evidence
from hodograph.claims.finding import Check, Finding, reason, verdict
from hodograph.claims.row import LEDGER_FILE, Declared, Row
from hodograph.claims.standing import read_declared

STANDING: dict[Declared, str] = {
    "after measuring": "declared after arms of it had been measured",
    "changed after measuring": (
        "its tests or thresholds were changed after arms of it had been measured"
    ),
    "withdrawn after measuring": "taken out of the study after arms of it had been measured",
}


def write_ledger(folder: Path) -> tuple[Row, ...]:
    """Judge the claims of a study folder and write `ledger.json`; no file where it has no claims.

    Raises:
        StorageError: `study.json`, `claims.json`, or a table one of them needs cannot be read.
    """
    declared = read_declared(folder)
    if not declared:
        (folder / LEDGER_FILE).unlink(missing_ok=True)
        return ()
    arms = {arm for one in declared.values() for arm in one.claim.arms}
    evidence = read_evidence(folder, arms)
    rows = tuple(
        judge(name, declared[name].claim, evidence, declared[name].declared)
        for name in sorted(declared, key=_number)
    )
    write_json(folder / LEDGER_FILE, [row.model_dump(mode="json") for row in rows])
    return rows


def judge(name: str, claim: Claim, evidence: Evidence, declared: Declared) -> Row:
    """One row: every part examined, all of which must hold."""
    found = [(part, part.finding(evidence)) for part in claim.parts]
    checks = [check for _, one in found for check in one.checks]
    findings = [one for _, one in found]
    return Row(
        id=name,
        claim=claim.claim,
        paper=claim.paper,
        ours=_joined([one.ours for one in findings]),
        interval=_joined([one.interval for one in findings]),
        null=_joined([one.null for one in findings]),
        seeds=_seeds(findings),
        verdict=verdict(checks),
        reason=_reason(checks, findings, declared),
        study=evidence.study,
        declared=declared,
        arms=claim.arms,
        parts=tuple(part.row(one) for part, one in found),
    )


def _reason(checks: Sequence[Check], findings: Sequence[Finding], declared: Declared) -> str:
    said = [reason(checks), *(note for one in findings for note in one.notes)]
    said.append(STANDING.get(declared, ""))
    return _joined(dict.fromkeys(said))


def _seeds(findings: Sequence[Finding]) -> tuple[int, ...]:
    """The seeds all parts rest on; a part without evidence leaves none."""
    return tuple(sorted(set.intersection(*(set(one.seeds) for one in findings))))


def _joined(texts: Sequence[str] | dict[str, None]) -> str:
    return "; ".join(text for text in texts if text)


def _number(name: str) -> tuple[int, int, str]:
    """Claims in the order of their numbers, other names after them; the plain form comes first."""
    found = re.fullmatch(r"[A-Z](\d+)( .*)?", name)
    return (0, int(found[1]), found[2] or "") if found else (1, 0, name)
