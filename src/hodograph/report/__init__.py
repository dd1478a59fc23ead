"""What is shown: figures and pages, from tables alone."""

from hodograph.report.page import render, render_measurement, render_study

__all__ = ["render", "render_measurement", "render_study"]
