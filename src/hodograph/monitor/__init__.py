"""The geometry of an update while it is being trained, in anyone's transformers or TRL trainer."""

from hodograph.monitor.callback import Monitor

__all__ = ["Monitor"]
