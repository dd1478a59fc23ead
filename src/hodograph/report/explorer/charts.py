"""The explorer's three charts as Vega-Lite, built with Altair and filled in the browser.

Pages take them from `templates/charts.json`, which this file prints when it is run: building them
takes half a second, and they are always the same.

Words in `@` are replaced by the page's script: titles, formats, the arms and the reader's colours.
Rows come by name, so that one specification serves every metric: `points` and `lines` in the
trajectory and the strip, `cells` in the heat map.
"""

from __future__ import annotations

import json
from typing import Any, Literal, cast, get_args

import altair as alt

Scale = Literal["linear", "log"]
_CENTRED = alt.Scale(scheme="blueorange", domain=["@extent"])
_HOVER = "hover === '' || datum.arm === hover"


def charts() -> dict[str, dict[str, Any]]:
    """Return the specifications by name and scale: `trajectory-linear`, `layers-difference`, ..."""
    built = {"layers-difference": _layers(_CENTRED)}
    for scale in get_args(Scale):
        built[f"trajectory-{scale}"] = _trajectory(scale)
        built[f"arms-{scale}"] = _arms(scale)
        built[f"layers-{scale}"] = _layers(alt.Scale(type=scale, scheme="viridis", nice=False))
    return {name: cast(dict[str, Any], _styled(chart).to_dict()) for name, chart in built.items()}


def _value(scale: Scale) -> alt.Scale:
    if scale == "log":
        return alt.Scale(type=scale, nice=False, padding=8)
    return alt.Scale(type=scale, zero=False)


def _hover() -> alt.Parameter:
    return alt.param(name="hover", value="")


def _faded(full: float) -> dict[str, Any]:
    return {"condition": {"test": _HOVER, "value": full}, "value": full / 6}


def _colour() -> alt.Color:
    return alt.Color("arm:N", legend=None, scale=_arm_colours())


def _arm_colours() -> alt.Scale:
    return alt.Scale(domain=["@arms"], range=["@colours"])


def _tooltip(*more: alt.Tooltip) -> list[alt.Tooltip]:
    return [
        alt.Tooltip("arm:N"),
        *more,
        alt.Tooltip("shown:N", title="@value"),
        alt.Tooltip("null_shown:N", title="null"),
        alt.Tooltip("note:N", title="note"),
    ]


def _trajectory(scale: Scale) -> alt.LayerChart | alt.FacetChart:
    step = alt.X("step:Q", title="optimizer steps", axis=alt.Axis(tickMinStep=1, format="d"),
                 scale=alt.Scale(zero=False, nice=False, padding=14))  # fmt: skip
    value = alt.Y("value:Q", title="@title", scale=_value(scale), axis=alt.Axis(format="@format"))
    dash = alt.StrokeDash(
        "arm:N", legend=None, scale=alt.Scale(domain=["@arms"], range=["@dashes"])
    )
    shape = alt.Shape("arm:N", legend=None, scale=alt.Scale(domain=["@arms"], range=["@shapes"]))
    lines = alt.Chart(alt.NamedData("lines")).encode(x=step, color=_colour(), detail="arm:N")
    null = lines.mark_line(strokeDash=[2, 3], strokeWidth=1.5).encode(
        y=alt.Y("null_value:Q", title="@title"), opacity=_faded(0.55)
    )
    mean = lines.mark_line(strokeWidth=1.8).encode(y=value, strokeDash=dash, opacity=_faded(1))
    points = alt.Chart(alt.NamedData("points")).mark_point(size=38, strokeWidth=1.4)
    seeds = points.encode(
        x=step,
        y=value,
        color=_colour(),
        shape=shape,
        fill=alt.condition(
            "datum.doubt > 0",
            alt.value("@paper"),
            alt.Fill("arm:N", legend=None, scale=_arm_colours()),
        ),
        opacity=_faded(1),
        tooltip=_tooltip(alt.Tooltip("seed:N"), alt.Tooltip("step:Q", format="d")),
    )  # fmt: skip
    now = alt.Chart(alt.NamedData("now")).mark_rule(color="@muted", strokeWidth=1)
    return alt.LayerChart(layer=[now.encode(x=step), null, mean, seeds]).add_params(_hover())


def _arms(scale: Scale) -> alt.LayerChart | alt.FacetChart:
    value = alt.X("value:Q", title="@title", scale=_value(scale), axis=alt.Axis(format="@format"))
    arm = alt.Y("arm:N", title=None, sort=["@arms"], axis=alt.Axis(labelLimit=220, grid=True))
    rows = alt.Chart(alt.NamedData("lines")).encode(y=arm, color=_colour())
    null = rows.mark_tick(thickness=2, size=17).encode(
        x=alt.X("null_value:Q", title="@title"), opacity=_faded(0.4)
    )
    mean = rows.mark_tick(thickness=3, size=17).encode(x=value, opacity=_faded(1))
    seeds = alt.Chart(alt.NamedData("points")).mark_point(size=44, strokeWidth=1.4, shape="circle")
    drawn = seeds.encode(
        x=value,
        y=arm,
        color=_colour(),
        opacity=_faded(1),
        tooltip=_tooltip(alt.Tooltip("seed:N")),
    )
    return alt.LayerChart(layer=[null, mean, drawn]).add_params(_hover())


def _layers(colours: alt.Scale) -> alt.LayerChart | alt.FacetChart:
    base = alt.Chart(alt.NamedData("cells")).encode(
        x=alt.X("module:N", title="module", sort=["@modules"], axis=alt.Axis(labelAngle=0)),
        y=alt.Y("layer:N", title="layer", sort=["@layers"]),
    )
    legend = alt.Legend(title="@title", orient="bottom", format="@format", gradientLength=260)
    colour = alt.Color("value:Q", scale=colours, legend=legend)
    tiles = base.mark_rect(strokeWidth=2.5).encode(
        color=colour,
        stroke={"condition": {"test": "datum.chosen", "value": "@ink"}, "value": "@paper"},
        tooltip=_tooltip(alt.Tooltip("layer:N"), alt.Tooltip("module:N")),
    )
    text = base.mark_text(fontSize=11).encode(
        text="label:N",
        color={"condition": {"test": "datum.bright", "value": "#111111"}, "value": "#ffffff"},
    )
    return alt.LayerChart(layer=[tiles, text])


def _styled(chart: alt.LayerChart | alt.FacetChart) -> alt.LayerChart | alt.FacetChart:
    axis = alt.AxisConfig(
        labelColor="@ink", titleColor="@ink", gridColor="@grid", domainColor="@muted",
        tickColor="@muted", labelFontSize=12, titleFontSize=12, titleFontWeight="normal",
    )  # fmt: skip
    legend = alt.LegendConfig(
        labelColor="@ink", titleColor="@ink", labelFontSize=12, titleFontSize=12,
        titleFontWeight="normal", titleLimit=320,
    )  # fmt: skip
    return chart.properties(width="container").configure(
        background="transparent", font='system-ui, "Segoe UI", Roboto, sans-serif',
        view=alt.ViewConfig(stroke=None), axis=axis, legend=legend,
    )  # fmt: skip


def written() -> str:
    """Return the specifications as the text of `templates/charts.json`."""
    return json.dumps(charts(), indent=1) + "\n"


if __name__ == "__main__":
    print(written(), end="")
