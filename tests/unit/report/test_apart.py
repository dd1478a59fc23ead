import re
from pathlib import Path

import matplotlib as mpl
import pytest

from hodograph.report import apart, vector

FONTS = str(Path(mpl.get_data_path()) / "fonts" / "ttf")


def svg(width):
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="10"/>'


@pytest.mark.parametrize("cores", [1, 3])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_each_drawing_has_its_own_pdf_however_many_cores(monkeypatch, cores, count):
    monkeypatch.setattr(apart, "usable_cores", lambda: cores)
    drawings = [svg(100 + 10 * place) for place in range(count)]
    found = apart.pdfs(drawings)
    assert found == vector.pdfs(drawings, FONTS)
    boxes = [re.search(rb"/MediaBox *\[([\d. ]+)\]", pdf)[1].split() for pdf in found]
    assert [round(float(box[2])) for box in boxes] == [100 + 10 * p for p in range(count)]


def test_a_drawing_that_cannot_be_converted_is_an_error():
    with pytest.raises(RuntimeError, match="vl-convert ended with 1 in pdfs: "):
        apart.pdfs([svg(10), svg(10), "no svg at all", svg(10)])


def test_the_library_of_another_process_is_the_one_made_here():
    with apart.library_ahead():
        pass
    assert apart.library.cache_info().currsize == 1
    assert apart.library() == vector.library()
