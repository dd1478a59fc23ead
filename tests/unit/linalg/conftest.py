"""Both ways to eigenvalues, whatever device is at hand."""

import pytest

from hodograph.linalg.gram import EIGH, TRIDIAGONAL


@pytest.fixture(params=[TRIDIAGONAL, EIGH], ids=lambda way: way.method)
def way(request, monkeypatch):
    """Take one way on every device, so that what a GPU would run is run here too."""
    monkeypatch.setattr("hodograph.linalg.gram.way_for", lambda device: request.param)
    return request.param
