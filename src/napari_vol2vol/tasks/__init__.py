"""One file a task; `TASKS` lists them. Importing this does not import torch."""

from napari_vol2vol.tasks.registry import TASKS, Task, get_task

__all__ = ["TASKS", "Task", "get_task"]
