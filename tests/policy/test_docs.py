"""What the documentation names exists: links, pages, options, columns, files."""

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from hodograph.cli import COMMANDS, app
from hodograph.recipes import Recipe
from hodograph.tables.columns import BY_NAME
from hodograph.tables.gates import GATE_BY_NAME
from hodograph.tables.pairs import PAIR_BY_NAME

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
PROSE = [*sorted(ROOT.glob("*.md")), *PAGES]
DECLARED = {**BY_NAME, **PAIR_BY_NAME, **GATE_BY_NAME}
CONCEPTS_WITH_COLUMNS = [
    p for p in PAGES if p.parent.name == "concepts" and "\n## Columns" in p.read_text()
]


def relative(path):
    return str(path.relative_to(ROOT))


def links(text):
    """Targets of Markdown links outside code blocks, without their anchors."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:|#", target):
            yield target.partition("#")[0]


def options_of(command):
    arguments = app[command].assemble_argument_collection()
    return {name for argument in arguments for name in argument.names} | {"--help"}


def command_lines(text):
    """Every `hodograph COMMAND ...` in code, continuation lines joined."""
    text = text.replace("\\\n", " ")
    blocks = re.findall(r"```.*?\n(.*?)```", text, flags=re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    for line in [line for block in blocks for line in block.splitlines()] + spans:
        found = re.search(rf"\bhodograph ({'|'.join(COMMANDS)})\b(.*)", line)
        if found:
            yield found.group(1), re.findall(r"(?<!\S)\[?(--[a-z][\w.-]*)", found.group(2))


@pytest.mark.parametrize("page", PROSE, ids=relative)
def test_links_lead_somewhere(page):
    missing = [link for link in links(page.read_text()) if not (page.parent / link).exists()]
    assert missing == []


def test_every_page_is_in_the_navigation_and_exists():
    listed = re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), flags=re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert sorted(listed) == sorted(str(page.relative_to(DOCS)) for page in PAGES)


def test_the_index_links_every_page():
    linked = {(DOCS / link).resolve() for link in links((DOCS / "index.md").read_text())}
    assert [relative(page) for page in PAGES if page.resolve() not in linked] == ["docs/index.md"]


@pytest.mark.parametrize("page", PROSE, ids=relative)
def test_options_in_commands_exist(page):
    for command, options in command_lines(page.read_text()):
        for option in options:
            assert is_option(option, [command]), f"hodograph {command} {option}"


@pytest.mark.parametrize("page", PROSE, ids=relative)
def test_options_in_sentences_exist(page):
    sentences = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for option in re.findall(r"`(--[a-z][\w.-]*)[^`\n]*`", sentences):
        assert is_option(option, COMMANDS), option


def is_option(option, commands):
    """Whether one of the commands has it; `train` takes the keys of a recipe as options too."""
    key = option.removeprefix("--").replace("-", "_").split(".")[0]
    overrides_a_recipe = "train" in commands and key in Recipe.model_fields
    return overrides_a_recipe or any(option in options_of(command) for command in commands)


def test_the_guide_to_measuring_lists_every_option():
    guide = (DOCS / "guides" / "measure.md").read_text()
    missing = [
        name for name in options_of("measure") if name.startswith("--") and name not in guide
    ]
    assert [name for name in missing if name not in ("--base", "--tuned")] == []


@pytest.mark.parametrize("page", CONCEPTS_WITH_COLUMNS, ids=relative)
def test_columns_named_on_a_page_are_declared(page):
    for token in columns_listed(page):
        assert any(fnmatchcase(name, token) for name in DECLARED), token


def test_every_column_is_explained_on_some_page():
    listed = [token for page in CONCEPTS_WITH_COLUMNS for token in columns_listed(page)]
    unexplained = [
        name for name in DECLARED if not any(fnmatchcase(name, token) for token in listed)
    ]
    assert unexplained == []


def columns_listed(page):
    """Names, or patterns of names, in the page's section on columns."""
    section = page.read_text().partition("\n## Columns")[2].partition("\n## ")[0]
    names = [name for name in re.findall(r"`([^`]+)`", section) if name != "weighted"]
    assert names
    return names


def test_columns_of_the_paper_index_are_declared():
    index = (DOCS / "paper_index.md").read_text()
    shown = set(re.findall(r"`([a-z0-9]+(?:_[a-z0-9]+)+)`", index))
    assert len(shown) > 30
    assert [name for name in sorted(shown) if name not in BY_NAME] == []


@pytest.mark.parametrize("page", PROSE, ids=relative)
def test_files_named_exist(page):
    text = page.read_text()
    named = set(re.findall(r"`((?:src|tests|docs|examples)/[\w./]+)`", text))
    if page.name == "paper_index.md":
        named |= {
            f"tests/{name}"
            for name in re.findall(r"`((?:unit|properties|equivalence)/[\w./]+)`", text)
        }
        named |= {
            f"src/hodograph/{name}"
            for name in re.findall(
                r"`((?:diagnostics|linalg|engine|tables|training)/\w+\.py)`", text
            )
        }
    planned_by_the_reader = {"tests/unit/diagnostics/test_size.py"}
    assert [n for n in sorted(named - planned_by_the_reader) if not (ROOT / n).exists()] == []


def test_no_file_refers_to_a_path_of_one_machine():
    folders = ("src", "tests", "docs", "examples", "benchmarks")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    files += [path for path in ROOT.iterdir() if path.is_file() and path.name != ".git"]
    place = re.compile(r"(?<![\w.}~/-])/(?:work|root|home|tmp|Users|mnt)/")
    texts = [
        path for path in files if path.suffix in {".py", ".md", ".toml", ".txt", ".yml", ".cff", ""}
    ]
    assert [relative(path) for path in texts if place.search(path.read_text())] == []
