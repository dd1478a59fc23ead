"""What a run, or a study, has reached so far: read from its folder while it is written."""

from hodograph.watching.run import RunView, read_run
from hodograph.watching.study import StudyView, read_study
from hodograph.watching.view import View, look

__all__ = ["RunView", "StudyView", "View", "look", "read_run", "read_study"]
