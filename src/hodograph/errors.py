"""Errors a user can act on: what is wrong, where, and the way on.

Every one ends a command with exit code 2 and its message, without a traceback.
"""


class HodographError(Exception):
    """Base of all errors that bad input, not a defect of hodograph, causes."""


class CheckpointError(HodographError):
    """A checkpoint cannot be read as weights."""


class PairingError(HodographError):
    """Checkpoints that were to be compared do not hold the same parameters."""


class SettingsError(HodographError):
    """A recipe, study or option asks for something that cannot be done."""


class FactoringError(HodographError):
    """The singular values of a matrix cannot be computed."""


class StorageError(HodographError):
    """Results cannot be written, or what is there cannot be read back."""
