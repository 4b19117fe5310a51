"""From what a user writes to a path here: the default weights, a folder, a file, or a name on the hub."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from pathlib import Path

from cyano import weights
from cyano.checkpoints.files import TORCH_SUFFIXES
from cyano.errors import WeightsError

__all__ = ["HubOptions", "is_hub_name", "resolve"]

logger = logging.getLogger(__name__)

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_FILE_SUFFIXES = TORCH_SUFFIXES | {".safetensors", ".json"}
_WANTED = ["config.json", "*.safetensors", "preprocessor_config.json", "README.md"]


@dataclass(frozen=True)
class HubOptions:
    """How to fetch from the Hugging Face hub; the words are huggingface_hub's.

    Attributes:
        revision: branch, tag or commit; None for the main branch.
        cache_dir: the cache folder; None for huggingface_hub's own (HF_HOME).
        token: a token for private models, True for the stored one, False for none, None to decide by itself.
        local_files_only: use the cache alone, never the network.
        force_download: fetch again what the cache has.
        subfolder: of the model, where the files are; "" for itself.

    Example:
        >>> hub = HubOptions(revision="main", local_files_only=True)  # without the network
        >>> networks = load("owner/name", hub)  # doctest: +SKIP
    """

    revision: str | None = None
    cache_dir: Path | str | None = None
    token: str | bool | None = field(default=None, repr=False)
    local_files_only: bool = False
    force_download: bool = False
    subfolder: str = ""


def is_hub_name(name: str) -> bool:
    """Whether a name can only mean a model on the hub: "owner/name", and nothing local begins that way.

    A path with a typing error must not turn into a request on the network, so a name whose first part is a
    folder here, or that ends like a file, counts as a local path.
    """
    if not _HUB_NAME.fullmatch(name) or Path(name).suffix in _FILE_SUFFIXES:
        return False
    return not Path(name.split("/", maxsplit=1)[0]).exists()


def resolve(name_or_path: str | Path | None = None, hub: HubOptions | None = None) -> Path:
    """Find weights, fetching them if they are on the hub and not in its cache.

    Args:
        name_or_path: None or "cyano-small" for the default weights, "cyano-tiny" for those for live use; an existing
            folder or file; or "owner/name" on the Hugging Face hub. A `Path` is always local.
        hub: how to fetch.

    Returns:
        A folder, or a file if that is what was given. Its content is not looked at.

    Raises:
        WeightsError: nothing is there, or it cannot be fetched.

    Example:
        >>> resolve("cyano-tiny").name
        'cyano-tiny'
    """
    if name_or_path is None or name_or_path == weights.DEFAULT:
        return weights.default_folder()
    if name_or_path in weights.SHIPPED and isinstance(name_or_path, str):
        return weights.shipped_folder(name_or_path)
    path = Path(name_or_path).expanduser()
    hub = hub or HubOptions()
    if path.exists() and name_or_path != "":
        return path / hub.subfolder
    if isinstance(name_or_path, str) and is_hub_name(name_or_path):
        return _fetch(name_or_path, hub) / hub.subfolder
    raise WeightsError(
        f"there are no weights at {path}; give an existing folder or file, {weights.DEFAULT!r} for the weights "
        "that come with Cyano, or 'owner/name' for a model on the Hugging Face hub"
    )


def _fetch(name: str, hub: HubOptions) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    logger.info("fetching %s from the Hugging Face hub, unless its cache has it", name)
    try:
        folder = snapshot_download(
            name,
            revision=hub.revision,
            cache_dir=hub.cache_dir,
            token=hub.token,
            local_files_only=hub.local_files_only,
            force_download=hub.force_download,
            allow_patterns=[f"{hub.subfolder}/{name}".removeprefix("/") for name in _WANTED],
        )
    except GatedRepoError as error:
        raise WeightsError(
            f"{name} is gated: accept its terms on its page on the hub, then log in by `hf auth login` or pass token="
        ) from error
    except RepositoryNotFoundError as error:
        raise WeightsError(
            f"there is neither a folder {name} here nor such a model on the Hugging Face hub; check the name, or, "
            "if it is private, log in by `hf auth login` or pass token="
        ) from error
    except RevisionNotFoundError as error:
        raise WeightsError(
            f"{name} on the Hugging Face hub has no revision {hub.revision!r}; give a branch, tag or commit of it"
        ) from error
    except HFValidationError as error:
        raise WeightsError(
            f"{name} is not a folder here, nor a possible name on the Hugging Face hub; check the name"
        ) from error
    except LocalEntryNotFoundError as error:
        raise WeightsError(_offline(name)) from error
    except OSError as error:  # all else that goes wrong on the network or the disk
        raise WeightsError(f"{name} could not be fetched from the Hugging Face hub ({error}); {_REMEDY}") from error
    return Path(folder)


_REMEDY = (
    "connect and try again, copy the model folder (config.json, model.safetensors) here and give its path, or "
    f"use the weights that come with Cyano ({weights.DEFAULT!r})"
)


def _offline(name: str) -> str:
    return f"there is no folder {name} here, and the Hugging Face hub cannot be reached (or may not be); {_REMEDY}"
