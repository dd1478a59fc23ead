"""Files beside a page hold what the page shows."""

import csv
import io
import re
import xml.etree.ElementTree as ET

import pandas as pd
import pytest

from hodograph.claims.row import Row
from hodograph.report import render
from hodograph.report.downloads import remove_downloads, write_downloads
from hodograph.report.flat import csv_text, frame, number, places
from hodograph.report.head import head, title_of
from hodograph.report.keys import arm_key
from hodograph.report.latex import escaped, latex_table
from hodograph.report.ledger import claims, ledger_table
from hodograph.report.numbers import percent, significant
from hodograph.report.standalone import Document, colours, document, pdf_files
from hodograph.report.style import ARMS, INK, PAPER, draw, looks
from hodograph.report.views import Body, Cell, Figure, Head, Panel, Table, absent, plain
from planted.measurement import comparison, question, write_study

SVG = "{http://www.w3.org/2000/svg}"


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


def lines(*arms):
    """A figure of one panel, and its panel, with the key of these arms."""
    panel = Panel(drawing(), 300, "in float32", "% of D")
    return Figure("Stable <rank>", "A & b.", [panel], key=arm_key(looks(arms))), panel


def test_an_svg_file_stands_alone_in_the_colours_of_light_paper():
    text = document(*lines("sft", "a & <b>", "var(--x)"), "hodograph study 'a & b'").svg
    root = ET.fromstring(text)
    assert root.tag == f"{SVG}svg"
    assert root.get("width") == "300"
    assert float(root.get("height")) > 200
    assert "var(--" not in text.replace("var(--x)", "")
    assert colours()["arm-2"] in text
    assert root.find(f"{SVG}rect").get("fill") == colours()["paper"]
    assert "µ & <steps>" in "".join(root.itertext())


def test_an_svg_file_says_what_it_shows_in_which_unit_whose_line_is_which_and_what_made_it():
    root = ET.fromstring(document(*lines("sft", "a & <b>"), "hodograph study 'a & b'").svg)
    title = "Stable <rank>: in float32 [%\u00a0of\u00a0D]"
    assert root.findtext(f"{SVG}title") == title
    assert root.findtext(f"{SVG}desc") == "A & b. Made by: hodograph study 'a & b'"
    assert [text.text for text in root.findall(f"{SVG}text")] == [title, "sft", "a & <b>"]
    first, second, drawn = root.findall(f"{SVG}svg")
    assert colours()["arm-0"] in ET.tostring(first, "unicode")
    assert colours()["arm-1"] in ET.tostring(second, "unicode")
    bottom = float(drawn.get("y")) + float(drawn.get("height"))
    assert (drawn.get("width"), bottom) == ("300", float(root.get("height")))


@pytest.mark.parametrize("name", ["opd", "opd_with_a_name_that_is_long", "w" * 80])
def test_a_key_flows_in_rows_that_do_not_overlap_and_are_not_cut(name):
    arms = [f"{name}{place}" for place in range(12)]
    key = arm_key(looks(arms))
    title = "A title of many words, broken where it is too long"
    elements, width, height = head(title, key, 300)
    root = ET.fromstring(f"<svg>{elements}</svg>")
    names = [text for text in root.findall("text") if text.text in arms]
    assert [text.text for text in names] == arms
    boxes = [(float(one.get("x")), float(one.get("y"))) for one in root.findall("svg")]
    ends = [float(text.get("x")) + 7 * len(text.text) for text in names]  # glyphs of some 7 px
    assert width >= 300
    assert width > 300 or max(ends) < 320
    assert max(y for _, y in boxes) + 16 <= height
    for (left, top), (right, below), end in zip(boxes, boxes[1:], ends, strict=False):
        assert below > top or (below == top and right > left + 44 + 7)
        assert below > top or right > end - 14
    titles = [text for text in root.findall("text") if text.text not in arms]
    assert " ".join(text.text for text in titles) == title
    assert max(float(text.get("y")) for text in titles) < min(y for _, y in boxes)


def test_one_arm_alone_is_named_in_its_files_and_a_run_without_a_name_is_not():
    assert [name for name, _ in arm_key(looks(["opd"]))] == ["opd"]
    assert arm_key(looks([""])) == []


def test_a_pdf_file_is_written_alike_each_time_with_text_as_text():
    pdf, again = pdf_files([document(*lines("sft"), "")] * 2)
    assert pdf.startswith(b"%PDF-")
    assert b"DejaVuSans" in pdf
    assert pdf == again


def test_a_pdf_file_says_what_it_shows_and_what_made_it():
    """The appended cross-reference table leads to the information, and to the first table."""
    svg = document(*lines("sft"), "").svg
    (pdf,) = pdf_files([Document(svg, "Stable rank (µ)", "by: hodograph (x)")])
    table = int(re.search(rb"startxref\n(\d+)\n%%EOF\n$", pdf)[1])
    number, place = re.match(rb"xref\n(\d+) 1\n(\d{10}) 00000 n\r\n", pdf[table:]).groups()
    said = re.match(rb"%b 0 obj\n<< /Title <(\w+)> /Subject <(\w+)>" % number, pdf[int(place) :])
    assert [bytes.fromhex(text.decode()).decode("utf-16") for text in said.groups()] == [
        "Stable rank (µ)", "by: hodograph (x)",
    ]  # fmt: skip
    trailer = re.search(rb"trailer\n<<(.*)>>", pdf[table:], re.DOTALL)[1]
    assert b"/Root 2 0 R" in trailer
    assert b"/Info %b 0 R" % number in trailer
    assert pdf[int(re.search(rb"/Prev (\d+)", trailer)[1]) :].startswith(b"xref\n0 ")


def test_what_an_earlier_page_left_is_removed_and_what_others_put_there_stays(tmp_path):
    figure, panel = lines("sft", "opd")
    kept = write_downloads(tmp_path, [figure, table([[Cell("a"), Cell("1")]])], "")
    figures, tables = tmp_path / "figures", tmp_path / "tables"
    others = [figures / "old.v2.svg", figures / "old.pdf", tables / "old.csv", tables / "old.tex"]
    own = [figures / "mine.png", tables / "notes.txt", tables / "mine.pdf", tmp_path / "old.svg"]
    for path in (*others, tables / "old.parquet", *own):
        path.write_text("")
    (figures / "folder.svg").mkdir()
    remove_downloads(tmp_path, kept=kept)
    left = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert left == kept | set(own)
    assert {path.name for path in kept} == {
        *(f"{panel.file}.{end}" for end in ("svg", "pdf")),
        *(f"planted.{end}" for end in ("csv", "tex", "parquet")),
    }


def test_an_arm_that_is_gone_leaves_no_figure_behind(tmp_path):
    render(write_study(tmp_path, arms=("sft", "opd")))
    assert (tmp_path / "figures" / "arms-all-heat-stable_rank-opd.svg").exists()
    asked = question("q", comparison("one", "sft", shows=("size",)))
    page = render(write_study(tmp_path, arms=("sft",), questions=[asked]))
    links = set(re.findall(r'href="((?:figures|tables)/[^"]+)"', page.read_text()))
    assert links == {
        str(path.relative_to(tmp_path))
        for folder in ("figures", "tables")
        for path in (tmp_path / folder).iterdir()
    }


def test_titles_name_figure_panel_and_unit():
    figure, panel = lines()
    assert title_of(figure, panel) == "Stable <rank>: in float32 [%\u00a0of\u00a0D]"
    assert title_of(figure, Panel(drawing(), 300)) == "Stable <rank>"


def test_names_from_files_stay_in_their_folder(tmp_path):
    figure = Figure("Planted", "", [Panel(drawing("../../out of/reach"), 300)])
    named = table([[Cell("a"), Cell("1")]], name='../up"><b>')
    write_downloads(tmp_path / "run", {"figures": [figure], "table": named}, "")
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


def test_files_of_lines_name_every_arm(page):
    for name in ("stable_rank-float32", "nss-layer", "sparsity-size", "overlap_low_30"):
        root = ET.fromstring((page.parent / "figures" / f"arms-all-{name}.svg").read_text())
        assert [text.text for text in root.findall(f"{SVG}text")][-2:] == ["sft", "opd"]
    heat = (page.parent / "figures" / "arms-all-heat-stable_rank-sft.svg").read_text()
    assert len(ET.fromstring(heat).findall(f"{SVG}text")) == 1


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
    write_downloads(tmp_path, {"claims": ledger_table(claims([row]))}, "")
    text = (tmp_path / "tables" / "ledger.csv").read_text()
    assert "C1,'=sparser,does not hold,51.6 %,50 %," in text
    assert '"0, 1"' in text
