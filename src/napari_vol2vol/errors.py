"""Errors that a user can cause or meet; each message names the field, what was found and what is accepted."""


class Vol2VolError(Exception):
    """Base of all errors of this project; deliberately *not* a `RuntimeError`.

    superqt 0.9 swallows a `RuntimeError` raised in a generator worker: neither ``errored`` nor ``finished``
    is emitted and the dock would hang. The engine therefore turns every `RuntimeError` into a `RunError`.
    """


class VolumeError(Vol2VolError):
    """A file, layer or array that cannot serve as a medical volume."""


class SettingsError(Vol2VolError):
    """A setting, task, system or bundle that does not exist or does not fit the others."""


class BundleError(Vol2VolError):
    """Trained weights that are missing, damaged or do not fit their card."""


class RunError(Vol2VolError):
    """A run that failed on the way; finished samples are kept in the run folder."""


class OutOfMemoryError(RunError):
    """The device had too little memory even after every step-down."""


class StoreError(Vol2VolError):
    """Readings that are damaged, altered, of another study, or cannot be written."""
