"""What transformers' Trainer needs to be told of models that are not its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["SaveConfig"]


class SaveConfig:
    """A callback of transformers' Trainer that writes config.json into each checkpoint.

    Trainer saves the tensors alone of every model whose class is not from transformers:
    `Trainer(model, ..., callbacks=[SaveConfig()])`.

    Example:
        >>> from types import SimpleNamespace as Values
        >>> trainer = Trainer(model, arguments, callbacks=[SaveConfig()])  # doctest: +SKIP
        >>> state = Values(is_world_process_zero=True, global_step=5)  # what Trainer tells its callbacks
        >>> SaveConfig().on_save(Values(output_dir="."), state, None, model=cyano.AutoModel.from_pretrained())
        >>> Path("checkpoint-5/config.json").exists()
        True
    """

    def on_save(self, args: Any, state: Any, control: Any, *, model: Any, **_: Any) -> None:
        """Write the model's configuration beside its tensors."""
        if state.is_world_process_zero:
            model = getattr(model, "module", model)  # within a wrapper for several processes
            model.config.save_pretrained(Path(args.output_dir) / f"checkpoint-{state.global_step}")

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Nothing to do on all other occasions."""
        if not name.startswith("on_"):
            raise AttributeError(name)
        return lambda *_, **__: None
