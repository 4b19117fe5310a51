"""Saved files to the Hugging Face hub, for `push_to_hub` of all classes."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cyano.errors import OutputError
from cyano.hf.keywords import warn_without_effect

__all__ = ["Uploads"]

_IDLE: Final[Mapping[str, tuple[object, ...]]] = {
    "commit_message": (None,),
    "max_shard_size": ("5GB", "50GB", None),
    "private": (None,),
    "safe_serialization": (True, None),
    "save_original_format": (True, False, None),
    "save_peft_format": (True, False, None),
    "token": (None,),
    "variant": (None,),
}
"""Keywords of transformers' `save_pretrained` that change no file here, with the values that need no word."""


class Uploads:
    """Whatever is saved into a folder can be uploaded as that folder."""

    def save_pretrained(self, folder: str | Path, **_: Any) -> list[str] | None:
        """Write files into a folder."""
        raise NotImplementedError

    def _saved(self, folder: str | Path, keywords: Mapping[str, object]) -> None:
        """What the keywords of a `save_pretrained` ask for beyond the files, which are written."""
        rest = dict(keywords)
        upload, repo_id = rest.pop("push_to_hub", False), rest.pop("repo_id", None)
        if unknown := set(rest) - set(_IDLE):
            raise TypeError(f"save_pretrained() got an unexpected keyword argument {min(unknown)!r}")
        if upload:
            self.push_to_hub(str(repo_id or Path(folder).name), **rest)  # type: ignore[arg-type]
        else:
            warn_without_effect(rest, _IDLE)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        commit_message: str | None = None,
        private: bool | None = None,
        token: bool | str | None = None,
        revision: str | None = None,
        create_pr: bool = False,
        **_: object,
    ) -> str:
        """Upload what `save_pretrained` writes.

        Args:
            repo_id: "owner/name"; it is made if need be.
            commit_message: what the history says of it.
            private: whether nobody else may see it, if it is made.
            token: see `cyano.checkpoints.HubOptions`.
            revision: the branch; None for the main one.
            create_pr: propose it instead.
            **_: ignored, as it has no meaning for these files.

        Returns:
            The address of the commit.

        Raises:
            OutputError: the hub cannot be reached, or refuses.

        Example:
            >>> model = cyano.AutoModel.from_pretrained()
            >>> model.push_to_hub("owner/name", private=True)  # doctest: +SKIP
        """
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HFValidationError

        api = HfApi(token=token)
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            try:
                api.create_repo(repo_id, private=private, exist_ok=True)
                done = api.upload_folder(
                    repo_id=repo_id,
                    folder_path=folder,
                    commit_message=commit_message or "Upload by Cyano",
                    revision=revision,
                    create_pr=create_pr,
                )
            except (OSError, HFValidationError) as error:  # all that the network and the hub answer with
                raise OutputError(
                    f"{repo_id} cannot be written on the Hugging Face hub ({error}); log in by `hf auth login`, and "
                    "check the name"
                ) from error
        return str(done)
