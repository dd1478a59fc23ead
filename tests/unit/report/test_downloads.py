"""Files beside a page hold what the page shows."""

import csv
import io
import re
import xml.etree.ElementTree as ET

import pandas as pd
import pytest

from hodograph.claims.row import Row
from hodograph.report import render
from hodograph.report.downloads import write_downloads
from hodograph.report.flat import csv_text, frame, number, places
from hodograph.report.latex import escaped, latex_table
from hodograph.report.ledger import claims, ledger_table
from hodograph.report.numbers import percent, significant
from hodograph.report.standalone import colours, pdf_file, svg_file
from hodograph.report.style import ARMS, INK, PAPER, draw
from hodograph.report.views import Body, Cell, Figure, Head, Panel, Table, absent, plain
from planted.measurement import write_study


def table(rows, heads=("arm", "value"), label="", name="planted"):
    words = [Head(heads[0], words=True), *(Head(head, "%") for head in heads[1:])]
    return Table("Planted", words, [Body(rows, label)], name)


def drawing(name="planted"):
    def plot(axes):
        axes.plot([0, 1], [0, 1], color=ARMS[2], mfc=PAPER, marker="o")
        axes.set_xlabel("µ & <steps>", color=INK)

    return draw(plot, name=name, label="a line", width=300, height=200)


@pytest.mark.parametrize("value", [0.0, 1.0, -2.5e-7, 1234.5, 99999.0, 3.14e12, -0.0123])
def test_a_number_is_read_back_as_it_was_written(value):
    assert number(significant(value, 7)) == pytest.approx(value, rel=1e-6)
    assert number(percent(0.516)) == 51.6


@pytest.mark.parametrize("text", ["0.55 → 0.74", "> 99.9999", "locked", "", "1.0 points", "–"])
def test_what_is_not_one_number_stays_text(text):
    assert number(text) is None


def test_numbers_notes_and_reasons_have_their_columns():
    shown = frame(
        table(
            [
                [Cell("sft"), Cell("−2.5×10⁻³", below=("null 51.0",), flag="caution 1/4")],
                [Cell("opd"), absent("this arm was not measured")],
            ],
            label="From anchor",
        )
    )
    assert list(shown.columns) == ["group", "arm", "value (%)", "value (%), beside"]
    assert list(shown["group"]) == ["From anchor"] * 2
    assert shown["value (%)"].dtype == "float64"
    assert shown["value (%)"].iloc[0] == -0.0025
    assert shown["value (%)"].isna().tolist() == [False, True]
    assert list(shown["value (%), beside"]) == [
        "null 51.0; caution 1/4",
        "this arm was not measured",
    ]


def test_one_text_among_numbers_keeps_the_column_whole():
    shown = frame(table([[Cell("sft"), Cell("51.6")], [Cell("opd"), Cell("> 99.9999")]]))
    assert list(shown["value (%)"]) == ["51.6", "> 99.9999"]


def test_headings_of_one_name_stay_apart():
    shown = frame(
        table([[Cell("a"), Cell("1"), Cell("2"), Cell("3")]], ("arm", "low", "low", "low"))
    )
    assert list(shown.columns) == ["arm", "low (%)", "low (%) 2", "low (%) 3"]
    assert shown.iloc[0, 1:].tolist() == [1, 2, 3]


def test_a_cell_that_spans_rows_is_repeated_in_data_and_blank_in_latex():
    rows = [[Cell("sft", rows=2), Cell("1")], [Cell("2")], [Cell("opd"), Cell("3")]]
    assert [row[0] is None for row in places(Body(rows), 2)] == [False, True, False]
    assert list(frame(table(rows))["arm"]) == ["sft", "sft", "opd"]
    assert "sft & 1 \\\\\n & 2 \\\\\nopd & 3 \\\\" in latex_table(table(rows))


def test_csv_is_rfc_4180_and_runs_nothing_in_a_spreadsheet():
    nasty = ['=HYPERLINK("x")', "+1", "-2", "@sum", "a,b", 'say "hi"', "two\nlines", "\t=1"]
    text = csv_text(frame(table([[Cell(one), Cell("−1.5")] for one in nasty])))
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert text.count("\r\n") == len(nasty) + 1
    assert [row[0] for row in rows[1:]] == [
        f"'{one}" if one[0] in "=+-@\t" else one for one in nasty
    ]
    assert {row[1] for row in rows[1:]} == {"-1.5"}


def test_latex_escapes_what_tex_would_run():
    assert escaped("\\input{x} 50% $a_b^c$ ~&#") == (
        r"\textbackslash{}input\{x\} 50\% \$a\_b\textasciicircum{}c\$ \textasciitilde{}\&\#"
    )
    assert escaped("−2.5×10⁻⁷, Sim₁₆, 0.55 → 0.74") == (
        r"$-$2.5$\times$10$^{-7}$, Sim$_{16}$, 0.55 $\to$ 0.74"
    )


def test_latex_is_a_tabular_of_as_many_columns_as_headings():
    text = latex_table(table([[Cell("a_b", below=("x",)), absent("why")]], label="From 50 %"))
    assert text.splitlines()[2:] == [
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"arm & value (\%) \\",
        r"\midrule",
        r"\multicolumn{2}{l}{\textit{From 50 \%}} \\",
        r"a\_b (x) & -- \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_an_svg_file_stands_alone_in_the_colours_of_light_paper():
    text = svg_file(drawing())
    root = ET.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert (root.get("width"), root.get("height")) == ("300", "200")
    assert "var(" not in text
    assert colours()["arm-2"] in text
    assert "µ & <steps>" in "".join(root.itertext())


def test_a_pdf_file_is_written_alike_each_time_with_text_as_text():
    pdf = pdf_file(svg_file(drawing()))
    assert pdf.startswith(b"%PDF-")
    assert b"DejaVuSans" in pdf
    assert pdf == pdf_file(svg_file(drawing()))


def test_names_from_files_stay_in_their_folder(tmp_path):
    figure = Figure("Planted", "", [Panel(drawing("../../out of/reach"), 300)])
    named = table([[Cell("a"), Cell("1")]], name='../up"><b>')
    write_downloads(tmp_path / "run", {"figures": [figure], "table": named})
    written = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {
        ".._.._out_of_reach.svg",
        ".._.._out_of_reach.pdf",
        ".._up_b_.csv",
        ".._up_b_.tex",
        ".._up_b_.parquet",
    }
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"figures", "tables"}
    assert plain("stable_rank-float32") == "stable_rank-float32"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return render(write_study(tmp_path_factory.mktemp("study"), (0, 1), ("sft", "opd")))


def test_every_link_of_a_page_leads_to_a_file_and_every_file_is_linked(page):
    links = set(re.findall(r'href="((?:figures|tables)/[^"]+)"', page.read_text()))
    files = {
        str(path.relative_to(page.parent))
        for folder in ("figures", "tables")
        for path in (page.parent / folder).iterdir()
    }
    assert links == files
    tables = {link.split("/")[1] for link in links if link.startswith("tables/")}
    assert {"question-arms.csv", "arms-all-orderings.tex", "runs.parquet"} <= tables
    assert "figures/arms-all-heat-stable_rank-sft.pdf" in links


def test_planted_numbers_are_in_the_table_files(page):
    """SFT's size is 1.7 in seed 0, a tenth more in seed 1: relative norm 1.7 % x 1.16 x 1.05."""
    expected = pytest.approx(1.7 * 1.16 * 1.05, rel=5e-3)
    for data in (
        pd.read_parquet(page.parent / "tables" / "question-arms.parquet"),
        pd.read_csv(page.parent / "tables" / "question-arms.csv"),
    ):
        first = data.iloc[0]
        assert first["arm (objective, task)"] == "sft"
        assert first["relative norm (%)"] == expected
        assert "null" in first["update sparsity (%), beside"]


def test_the_ledger_is_a_table_of_its_own(tmp_path):
    row = Row(
        id="C1", claim="=sparser", paper="51.6 %", ours="50 %", interval="49 to 51 %", null="–",
        seeds=(0, 1), verdict="does not hold", reason="the null is as sparse", study="planted",
        declared="before measuring", arms=("opd", "sft"), parts=(),
    )  # fmt: skip
    write_downloads(tmp_path, {"claims": ledger_table(claims([row]))})
    text = (tmp_path / "tables" / "ledger.csv").read_text()
    assert "C1,'=sparser,does not hold,51.6 %,50 %," in text
    assert '"0, 1"' in text
